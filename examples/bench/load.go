package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// job is what the load generator does: each request on a connection of its own, over
// and over.
type job struct {
	Address  string
	Requests [][]byte // whole HTTP/1.1 requests, one a connection
	Warmup   time.Duration
	Duration time.Duration
	Rate     float64 // requests a second over all connections; 0: as fast as they are answered
	Tolerant bool    // a wrong answer is counted, not the end
}

// load is what came of a job.
type load struct {
	Requests int    // that were answered as they should be
	Lost     int    // answers that broke off; the connection was opened anew
	Wrong    int    // answers that came whole and were not what was asked for
	Example  string // of a wrong one
	Elapsed  time.Duration
	P50, P99 time.Duration
}

// began is the line by which the load generator says that the warm-up is over.
type began struct{ Began bool }

// runLoad reads a job from its input, prints a line when the warm-up is over, and then
// what came of the job.
func runLoad() error {
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	clients := make([]*connection, len(j.Requests))
	for i, request := range j.Requests {
		c, err := dial(j.Address, request)
		if err != nil {
			return err
		}
		defer func() { c.conn.Close() }() // it may be another one by then
		c.tolerant = j.Tolerant
		clients[i] = c
	}
	if _, err := drive(clients, j.Warmup, j.Rate); err != nil {
		return err
	}
	if err := out.Encode(began{true}); err != nil {
		return err
	}
	result, err := drive(clients, j.Duration, j.Rate)
	if err != nil {
		return err
	}
	return out.Encode(result)
}

// drive lets all connections work for so long.
func drive(clients []*connection, length time.Duration, rate float64) (load, error) {
	start := time.Now()
	var working errgroup.Group
	for i, c := range clients {
		working.Go(func() error {
			if rate == 0 {
				return c.flood(start.Add(length))
			}
			interval := time.Duration(float64(len(clients)) / rate * float64(time.Second))
			return c.pace(start.Add(interval*time.Duration(i)/time.Duration(len(clients))), interval, start.Add(length))
		})
	}
	if err := working.Wait(); err != nil {
		return load{}, err
	}
	result := load{Elapsed: time.Since(start)}
	var all []time.Duration
	for _, c := range clients {
		all = append(all, c.took...)
		result.Lost += c.lost
		result.Wrong += c.wrong
		result.Example = cmp.Or(result.Example, c.example)
		c.took, c.lost, c.wrong = c.took[:0], 0, 0
	}
	if len(all)+result.Wrong == 0 {
		return load{}, errors.New("nothing was answered")
	}
	slices.Sort(all)
	if result.Requests = len(all); len(all) > 0 {
		result.P50, result.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return result, nil
}

// connection is one keep-alive connection and the request that it repeats.
type connection struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	body    []byte
	took    []time.Duration

	lost, wrong int
	tolerant    bool
	example     string
}

// wrongAnswer is one that came whole and is not what was asked for.
type wrongAnswer struct {
	status int
	body   string
}

func (w *wrongAnswer) Error() string { return fmt.Sprintf("answered %d: %.300s", w.status, w.body) }

func dial(address string, request []byte) (*connection, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{address: address, conn: conn, in: bufio.NewReaderSize(conn, 32<<10), request: request}, nil
}

// flood sends the next request when the last one is answered, and one at least.
func (c *connection) flood(until time.Time) error {
	for {
		if err := c.count(time.Now()); err != nil || time.Now().After(until) {
			return err
		}
	}
}

// pace sends at fixed times, or as soon after them as the connection is free, and
// counts from when a request was due.
func (c *connection) pace(due time.Time, interval time.Duration, until time.Time) error {
	for ; due.Before(until); due = due.Add(interval) {
		time.Sleep(time.Until(due))
		if err := c.count(due); err != nil {
			return err
		}
	}
	return nil
}

// count makes one request and notes how long its answer took. An answer that breaks off
// is noted as lost, and a wrong one as wrong where that is tolerated: neither is timed.
func (c *connection) count(since time.Time) error {
	err := c.once()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		c.lost++
		c.conn.Close()
		if c.conn, err = net.Dial("tcp", c.address); err == nil {
			c.in.Reset(c.conn)
		}
		return err
	}
	if wrong, ok := errors.AsType[*wrongAnswer](err); ok && c.tolerant {
		c.wrong++
		if c.example == "" {
			c.example = wrong.Error()
		}
		return nil
	}
	c.took = append(c.took, time.Since(since))
	return err
}

// once sends the request and reads its answer, which must be a good one.
func (c *connection) once() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	status, err := c.answer()
	if err != nil {
		return err
	}
	if status != 200 || !bytes.Contains(c.body, []byte(marker)) || bytes.Contains(c.body, []byte(`"isError":true`)) {
		return &wrongAnswer{status, string(c.body)}
	}
	return nil
}

// answer reads one HTTP/1.1 response into c.body.
func (c *connection) answer() (status int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("not a status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	c.body = c.body[:0]
	if chunked {
		return status, c.chunks()
	}
	return status, c.take(length)
}

// chunks reads a body in chunked coding.
func (c *connection) chunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if err := c.take(int(size)); err != nil {
			return err
		}
		if _, err := c.in.ReadSlice('\n'); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

func (c *connection) take(n int) error {
	from := len(c.body)
	c.body = slices.Grow(c.body, n)[:from+n]
	_, err := io.ReadFull(c.in, c.body[from:])
	return err
}
