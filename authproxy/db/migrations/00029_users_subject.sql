-- +goose Up

-- The same human in every org is found by their user id alone.
CREATE INDEX users_subject ON users (subject);
