-- lmtext: text models in the database. Use CREATE EXTENSION lmtext to load this file.
\echo Use "CREATE EXTENSION lmtext" to load this file. \quit

-- The schema is made here and not adopted: what somebody put into a schema of this name before the
-- installation would otherwise be found by the bodies below. Every name in them is qualified.
CREATE SCHEMA lmtext;
COMMENT ON SCHEMA lmtext IS
    'lmtext: tokenize, embed, classify, search and train with text models';
GRANT USAGE ON SCHEMA lmtext TO PUBLIC;

-- What views, aggregates and operators are made of, out of the way of \df lmtext.*
CREATE SCHEMA lmtext_internal;
COMMENT ON SCHEMA lmtext_internal IS
    'functions of the extension lmtext that are not called by name';
GRANT USAGE ON SCHEMA lmtext_internal TO PUBLIC;
