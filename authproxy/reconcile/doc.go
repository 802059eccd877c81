// Package reconcile holds the logs of others against ours: what ChatGPT says its apps called, and
// what Salesforce says its API was asked for, beside the calls of the audit log. What they have and
// we lack went round the proxy.
//
// [ReadOpenAI] reads the app log of ChatGPT's compliance logs (JSON lines of type APP_LOG, a request
// and a response for each call); [ReadSalesforce] reads an event log file of Salesforce (CSV with a
// line of headings). Both come from elsewhere and may be of anybody's making: they are read in a
// stream, within bounds ([MaxBytes], [MaxEvents] and those beside them), and what cannot be read is counted and
// said. Columns that are not known are named.
//
// [Pair] compares call by call: the same user and tool, within a time. [Cover] compares where one call
// of ours can be several requests there: a request is explained by what we did for the same user near it.
// Both are exact about what they were given and know nothing else: whether the files are whole, their
// senders know.
package reconcile
