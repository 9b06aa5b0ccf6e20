-- 0.1.0 to 0.2.0: what sql/install has gained since. test/t compares the outcome with a fresh install.
\echo Use "ALTER EXTENSION lmtext UPDATE" to load this file. \quit
