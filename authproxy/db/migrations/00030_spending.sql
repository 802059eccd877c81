-- +goose Up

-- Which of those who ask for an approval took it last: a name made up for each. Whoever lost the answer to its own
-- statement knows by it whether that had its effect.
ALTER TABLE approvals ADD COLUMN spending TEXT NOT NULL DEFAULT '';
