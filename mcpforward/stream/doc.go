// Package stream writes the HTTP response to one MCP request: one JSON message, or an
// event stream if something precedes the response (MCP, Streamable HTTP, sending
// messages to the server).
//
// [New] reads from Accept what the client takes. Nothing is out until something is
// written: [Writer.Plain] and [Writer.Status] answer with an HTTP status of their own,
// [Writer.Finish] with the JSON-RPC response. [Writer.Notify] sends a message ahead of
// that and so begins an event stream, as [Writer.KeepAlive] does when the response takes
// its time; from then on there is no status to choose ([Writer.Streaming]).
//
// The package does not decide what is answered, and sets no deadline: how long a client
// may take to read belongs to the listener, which sees every write.
package stream
