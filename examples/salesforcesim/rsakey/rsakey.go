// Package rsakey makes the RSA keys with which the simulators sign.
//
// Making one takes a tenth of a second of processor time, most of what a simulator needs to start. So the nth key of
// a kind is made once in a process; and where [Variable] names a directory, once there, for
// all the processes that are told the same one, as a test tells those that it starts. Nobody else trusts these keys.
package rsakey

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Variable names the directory in which keys are kept for other processes; unset: in none.
const Variable = "SALESFORCESIM_KEYS"

const bits = 2048

var made struct {
	sync.Mutex
	keys map[string]*rsa.PrivateKey // by kind and number
}

// Nth returns the nth key of a kind, from 0: another one for each kind and number.
func Nth(kind string, n int) (*rsa.PrivateKey, error) {
	made.Lock()
	defer made.Unlock()
	name := fmt.Sprintf("%s-%d", kind, n)
	if key, ok := made.keys[name]; ok {
		return key, nil
	}
	key, err := keyOf(name)
	if err != nil {
		return nil, fmt.Errorf("making an RSA key: %w", err)
	}
	if made.keys == nil {
		made.keys = map[string]*rsa.PrivateKey{}
	}
	made.keys[name] = key
	return key, nil
}

func keyOf(name string) (*rsa.PrivateKey, error) {
	dir := os.Getenv(Variable)
	if dir == "" {
		return rsa.GenerateKey(rand.Reader, bits)
	}
	file := filepath.Join(dir, name+".der")
	key, err := read(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = rsa.GenerateKey(rand.Reader, bits); err != nil {
		return nil, err
	}
	if err := write(file, key); err != nil {
		return nil, err
	}
	return read(file) // another process's, if that was quicker
}

func read(file string) (*rsa.PrivateKey, error) {
	der, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s is no key: remove it: %w", file, err)
	}
	return key, nil
}

// write makes the file whole or not at all, and leaves one that is there.
func write(file string, key *rsa.PrivateKey) error {
	making, err := os.CreateTemp(filepath.Dir(file), "making-")
	if err != nil {
		return err
	}
	defer os.Remove(making.Name())
	_, err = making.Write(x509.MarshalPKCS1PrivateKey(key))
	if err := errors.Join(err, making.Close()); err != nil {
		return err
	}
	if err := os.Link(making.Name(), file); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
