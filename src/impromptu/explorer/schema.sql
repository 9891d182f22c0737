-- Where each sample and each prediction lies in its file, and what it can be found by.
CREATE TABLE problem (about TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE file (n INTEGER PRIMARY KEY, path TEXT NOT NULL);
CREATE TABLE kind (
  n INTEGER PRIMARY KEY, file INTEGER, dataset TEXT, split TEXT, question TEXT, count INTEGER,
  UNIQUE (file, dataset, split, question)
);
CREATE TABLE clip (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, speed TEXT, path TEXT);
CREATE TABLE tag (key TEXT, value TEXT, clip INTEGER, PRIMARY KEY (key, value, clip)) WITHOUT ROWID;
CREATE TABLE sample (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL, kind INTEGER, clip INTEGER, offset INTEGER, length INTEGER
);
CREATE INDEX sample_id ON sample (id);
CREATE INDEX sample_clip ON sample (clip);
CREATE VIRTUAL TABLE words USING fts5(text, content='', detail=none);
CREATE TABLE run (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE answer (
  sample INTEGER, run INTEGER, state TEXT NOT NULL, error_m REAL, path TEXT, offset INTEGER,
  length INTEGER, PRIMARY KEY (sample, run)
) WITHOUT ROWID;
