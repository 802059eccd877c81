package limit

import "sync"

// StreamsPerUser bounds the streams of one user, over all clients and servers.
const StreamsPerUser = 16

// Streams counts the open streams of each user. The zero value is ready; it is safe for
// concurrent use.
type Streams struct {
	mu   sync.Mutex
	open map[User]int
}

// Enter counts a stream until leave is called; it is refused beyond [StreamsPerUser].
func (s *Streams) Enter(user User) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[User]int{}
	}
	if s.open[user] >= StreamsPerUser {
		return nil, false
	}
	s.open[user]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[user]--; s.open[user] == 0 {
			delete(s.open, user)
		}
	}, true
}
