// Package reseal seals with the newest key what earlier keys of the ring have sealed in the
// database: in the background, a few rows at a time, each by one conditional statement, so that it
// can end anywhere and be done by several processes. What is left is read from the rows
// themselves ([Count]); there is nothing to remember.
//
// It knows the sealed columns of all tables, as [sfmcp-proxy/authproxy/db/move] knows the tables;
// a test holds its list and the schema together.
package reseal
