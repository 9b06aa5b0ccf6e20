-- lmtext: text models in the database. Use CREATE EXTENSION lmtext to load this file.
\echo Use "CREATE EXTENSION lmtext" to load this file. \quit

-- The schema is made here and not adopted: what somebody put into a schema of this name before the
-- installation would otherwise be found by the bodies below. Every name in them is qualified.
CREATE SCHEMA lmtext;
COMMENT ON SCHEMA lmtext IS
    'lmtext: tokenize, embed, classify, search and train with text models';
GRANT USAGE ON SCHEMA lmtext TO PUBLIC;
