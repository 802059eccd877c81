-- +goose Up

-- What a company's identity provider last said of a person.
CREATE TABLE company_people (
  issuer     TEXT   NOT NULL,
  subject    TEXT   NOT NULL,
  name       TEXT   NOT NULL,
  email      TEXT   NOT NULL, -- empty unless the provider has verified it
  groups     TEXT   NOT NULL, -- JSON list of those that a role names
  checked_at BIGINT NOT NULL,
  mac        TEXT   NOT NULL,
  PRIMARY KEY (issuer, subject)
);

-- Browsers that are signed in with the company.
CREATE TABLE company_sessions (
  session_hash TEXT   NOT NULL PRIMARY KEY,
  issuer       TEXT   NOT NULL,
  subject      TEXT   NOT NULL,
  auth_time    BIGINT NOT NULL, -- when the person proved who they are; 0: not known
  acr          TEXT   NOT NULL, -- and how
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  seen_at      BIGINT NOT NULL, -- last request, about
  mac          TEXT   NOT NULL
);
CREATE INDEX company_sessions_person ON company_sessions (issuer, subject);
CREATE INDEX company_sessions_expiry ON company_sessions (expires_at);

-- Salesforce users who are the same human as a person of the company.
CREATE TABLE human_links (
  org       TEXT   NOT NULL,
  subject   TEXT   NOT NULL,
  issuer    TEXT   NOT NULL,
  person    TEXT   NOT NULL, -- subject at the issuer
  linked_at BIGINT NOT NULL,
  mac       TEXT   NOT NULL,
  PRIMARY KEY (org, subject)
);
CREATE INDEX human_links_person ON human_links (issuer, person);
