-- +goose Up
-- A program that knows the migrations up to this number, or later ones, may use the database beside
-- newer programs. A migration that older programs must not meet sets it to its own number; see "Two
-- versions on one database" in DESIGN.md.

INSERT INTO epochs (name, value) VALUES ('oldest_schema', 26);
