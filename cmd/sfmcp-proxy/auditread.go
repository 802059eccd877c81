package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sfmcp-proxy/authproxy/audit"
)

// readLog records that entries of the log are about to leave it with their arguments, before the
// first is printed: nobody gets what is not on record. It returns the filter of what was there
// before, so that the reading itself is in the next one.
func (s *stores) readLog(cmd *cobra.Command, action audit.Action, object string, f audit.Filter) (audit.Filter, error) {
	e := audit.Entry{Actor: operator(""), Action: action, Object: object, Source: "command line", Outcome: audit.OK, Client: f.Client, Reason: askedFor(cmd)}
	about := []audit.Entry{}
	for _, subject := range f.Person.Subjects { // each in an entry of their own: as what is about them their username is sealed, too
		users, err := s.grants.FindUsers(cmd.Context(), subject)
		if err != nil {
			return f, err
		}
		if len(users) > 0 {
			one := e
			one.Org, one.Subject, one.Username = users[0].Org, users[0].Subject, users[0].Username
			about = append(about, one)
		}
	}
	for _, who := range f.Person.Company { // as what was acted on, which has their pseudonym
		one := e
		one.Object = who.String()
		about = append(about, one)
	}
	if len(about) == 0 {
		about = append(about, e)
	}
	var seq int64
	for i, one := range about {
		at, err := s.audit.Append(cmd.Context(), one)
		if err != nil {
			return f, err
		}
		if i == 0 {
			seq = at
		}
	}
	if f.Before == 0 || f.Before > seq {
		f.Before = seq
	}
	return f, nil
}

// askedFor is the command with the flags that were given. The values of those that can name a
// person are left out: where one is asked for, the entry names them in a field that can be erased.
func askedFor(cmd *cobra.Command) string {
	words := []string{strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "config": // says nothing of what was read
		case "user", "actor", "object":
			words = append(words, "--"+f.Name)
		default:
			words = append(words, "--"+f.Name, f.Value.String())
		}
	})
	return strings.Join(words, " ")
}
