package mcpforward

// count is how many calls are under way or wait for their turn.
func (f *inFlight) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}
