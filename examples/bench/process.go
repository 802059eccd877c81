package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a party that runs beside this one.
type process struct {
	cmd *exec.Cmd
	out *bufio.Reader // its standard output, unless that goes elsewhere
	in  io.WriteCloser
}

// startRole runs this program again in another role.
func startRole(ctx context.Context, role string, env ...string) (*process, error) {
	cmd, err := roleCommand(ctx, role, env...)
	if err != nil {
		return nil, err
	}
	return startProcess(cmd)
}

func roleCommand(ctx context.Context, role string, env ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	return cmd, nil
}

// yielding makes a command take what CPU the others leave, where there is nice(1).
func yielding(cmd *exec.Cmd) *exec.Cmd {
	if nice, err := exec.LookPath("nice"); err == nil {
		cmd.Args = append([]string{nice, "-n", "19", cmd.Path}, cmd.Args[1:]...)
		cmd.Path = nice
	}
	return cmd
}

// startProcess starts cmd, which gets SIGTERM when its context ends.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 40 * time.Second
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	var out io.Reader
	if cmd.Stdout == nil {
		var err error
		if out, err = cmd.StdoutPipe(); err != nil {
			return nil, err
		}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(cmd.Path), err)
	}
	return &process{cmd, bufio.NewReader(out), in}, nil
}

// read decodes the next line of the process's standard output.
func (p *process) read(into any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading from %s: %w", filepath.Base(p.cmd.Path), err)
	}
	return json.Unmarshal(line, into)
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	p.in.Close()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := p.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return nil // it was told to end
	}
	return err
}

// clockTick is the unit of /proc/PID/stat; Linux has had 100 a second for user space
// since its first version.
const clockTick = 10 * time.Millisecond

// cpu is the user and system time that a process and its children have used.
func cpu(pid int) (time.Duration, error) {
	total, err := ownCPU(pid)
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil && !errors.Is(err, os.ErrNotExist) { // not every kernel has the list
		return 0, err
	}
	for _, child := range strings.Fields(string(children)) {
		n, err := strconv.Atoi(child)
		if err != nil {
			return 0, err
		}
		used, err := ownCPU(n)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

func ownCPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: too short", pid)
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime, stime: fields 14 and 15 of proc(5)
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// resident is the memory of a process in bytes (VmRSS).
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status: no VmRSS", pid)
}
