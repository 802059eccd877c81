// Package config reads the configuration file and the SFMCP_ environment, refuses
// what is wrong in it, and prints what is in force without its secrets.
//
// The file is YAML. It is walked twice. First the YAML tree is held against the
// shape of [Config], which finds unknown, duplicate, mistyped and empty keys with
// their line, all of them at once. Then viper merges defaults, file and environment,
// and [Config.Validate] holds the result against what the parts of the product
// accept. A typing mistake in a security key must stop the start: an ignored key is
// a control that someone believes in (CVE-2021-21411 was one).
//
// Only cmd imports this package. The parts get their own Config structs from there,
// so that none of them knows of files or environment variables.
package config
