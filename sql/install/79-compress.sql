-- 79-compress: smaller models made of others.

CREATE PROCEDURE lmtext.compress(new text, model text, options jsonb DEFAULT '{}')
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_compress';
COMMENT ON PROCEDURE lmtext.compress(text, text, jsonb) IS
    'create a model version that holds a model''s int8 codes alone, Huffman-coded, and computes what its int8 version computes; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.compress(text, text, jsonb) FROM PUBLIC;
