-- What an import refuses or warns of by the files of a tokenizer, and the class that names how texts are read.
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA tokenizer_files;
SET search_path = tokenizer_files;

-- Import a folder with changes: an object is merged into a JSON file, null takes the file away.
CREATE FUNCTION tokenizer_files.import(name text, folder text, changes jsonb)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE files jsonb;
BEGIN
    WITH file AS (
        SELECT f, pg_read_binary_file(folder || '/' || f) AS data FROM pg_ls_dir(folder) f WHERE f ~ '\.' AND f <> 'golden.json'
    ), changed AS (
        SELECT coalesce(f, key) AS f, CASE jsonb_typeof(value)
            WHEN 'object' THEN convert_to((coalesce(convert_from(data, 'UTF8')::jsonb, '{}') || value)::text, 'UTF8')
            WHEN 'null' THEN NULL ELSE data END AS data
        FROM file FULL JOIN jsonb_each(changes) ON f = key
    )
    SELECT jsonb_object_agg(f, lo_from_bytea(0, data)::bigint) INTO files FROM changed WHERE data IS NOT NULL;
    RETURN lmtext.import_model(name, files);
END $$;

-- transformers makes a BertTokenizer anew from the vocabulary: where tokenizer.json says otherwise there is a warning.
SELECT tokenizer_files.import('a', :'bert', '{"tokenizer.json": {"added_tokens": []}}');
SELECT tokenizer_files.import('a', :'bert', '{"tokenizer.json": {"pre_tokenizer": {"type": "Whitespace"}, "normalizer": null}}');
SELECT tokenizer_files.import('a', :'bert', '{"tokenizer.json": {"post_processor": null}}');
-- Other classes obey tokenizer.json.
SELECT tokenizer_files.import('a', :'bert', '{"tokenizer.json": {"added_tokens": []},
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": null, "sep_token": null,
                              "pad_token": null, "cls_token": null, "mask_token": null}}');

-- Tokens that only another file names, and settings that lmtext does not do.
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"additional_special_tokens": ["<image>"]}}');
SELECT tokenizer_files.import('b', :'bert', '{"special_tokens_map.json": {"additional_special_tokens": ["<image>"]}}');
SELECT tokenizer_files.import('b', :'bert', '{"added_tokens.json": {"<image>": 5}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"cls_token": "[MASK]"}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"split_special_tokens": true}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"later": 1}}');

-- A text that is too long loses its end, or its beginning: truncation_side says so, or else tokenizer.json.
SELECT tokenizer_files.import('end', :'bert', '{"tokenizer_config.json": {"truncation_side": "left"}}');
SELECT tokenizer_files.import('file', :'bert', '{"tokenizer.json": {"truncation":
    {"direction": "Left", "max_length": 8, "strategy": "LongestFirst", "stride": 0}}}');
SELECT tokenizer_files.import('both', :'bert', '{"tokenizer_config.json": {"truncation_side": "right"}, "tokenizer.json":
    {"truncation": {"direction": "Left", "max_length": 8, "strategy": "LongestFirst", "stride": 0}}}');
SELECT model, max_tokens, lmtext.embed(repeat('the cat ', 5) || repeat('a ', 20) || repeat('b c ', 11), model)
                              = lmtext.embed(repeat('b c ', 11), model) AS has_the_end,
                          lmtext.embed(repeat('b c ', 11) || repeat('a ', 90), model)
                              = lmtext.embed(repeat('b c ', 11), model) AS has_the_beginning
FROM (SELECT name AS model, max_tokens FROM lmtext.models WHERE name IN ('end', 'file', 'both')) AS m ORDER BY model;

-- The small files are kept with the model.
SELECT tokenizer_files.import('c', :'bert', '{"special_tokens_map.json": {"cls_token": "[CLS]"}, "added_tokens.json": {"[MASK]": 4}}');
SELECT DISTINCT file FROM "c@1" WHERE file ~ '_map|added' ORDER BY file;

-- Without tokenizer_class the class is that of the model_type; it makes lower case unless do_lower_case is false.
SELECT tokenizer_files.import('lower', :'bert', '{"tokenizer_config.json": null}');
SELECT lmtext.embed('The CAT', 'lower') = lmtext.embed('the cat', 'lower') AS lower_case;

-- 0.2 did not ask config.json, and the manifests of its versions do not say so: they read texts as before.
SELECT tokenizer_files.import('old', :'bert', '{"tokenizer_config.json": null, "tokenizer.json": {"normalizer":
    {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": false, "lowercase": false}}}');
SELECT lmtext.token_ids('The CAT', 'old') = lmtext.token_ids('the cat', 'old') AS lower_case;
UPDATE "old@1" SET data = (
    SELECT convert_to(((m - 'implied_class') || jsonb_build_object('digest', encode(sha256(convert_to(
        'lmtext 1' || chr(10) || 'max_tokens ' || (m->>'max_tokens') || chr(10) || (
            SELECT string_agg(format('file %s %s %s %s', octet_length(f->>'name'), f->>'name', f->>'size', f->>'sha256')
                              || chr(10), '' ORDER BY f->>'name' COLLATE "C")
            FROM jsonb_array_elements(m->'files') f), 'UTF8')), 'hex')))::text, 'UTF8')
    FROM (SELECT convert_from(data, 'UTF8')::jsonb) AS manifest(m))
WHERE file = 'manifest.json';
SELECT lmtext.unload_model('old@1');
SELECT lmtext.token_ids('The CAT', 'old') = lmtext.token_ids('the cat', 'old') AS lower_case;
SELECT lmtext.quantize('old', 'bf16');
SELECT lmtext.token_ids('The CAT', 'old@2') = lmtext.token_ids('the cat', 'old@2') AS lower_case;

-- A byte-level tokenizer: the space before a word is no part of its place, and tokens stand for bytes.
SELECT tokenizer_files.import('level', :'bert', '{"tokenizer.json": {
    "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4,
              "the": 5, "Ġcat": 6, "Ġ": 7, "Ã": 8, "©": 9, "Ā": 10}},
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
    "post_processor": {"type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2], "trim_offsets": true,
                       "add_prefix_space": false},
    "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}},
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}}');
SELECT token, start, stop FROM lmtext.tokens('the  cat', 'level') ORDER BY "position";
SELECT lmtext.detokenize('{5,6,8,9,8}', 'level') = 'the caté' || U&'\FFFD' AS decoded;
-- A byte of 0 is in every such vocabulary, and in no text.
SELECT lmtext.detokenize('{5,10}', 'level');

-- What is not known is refused with what is.
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer.json": {"decoder": {"type": "Nothing"}}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer.json": {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁",
                                                                               "add_prefix_space": false}}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer.json": {"post_processor": {"type": "Sequence", "processors": [
    {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}]}}}');

-- A tokenizer that splits by a regular expression. What would need backtracking is refused with its text.
SELECT tokenizer_files.import('split', :'bert', '{"tokenizer.json": {
    "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4,
              "don": 5, "''t": 6, " pay": 7, " ": 8, "123": 9, "4": 10}},
    "normalizer": null, "post_processor": null,
    "pre_tokenizer": {"type": "Split", "behavior": "Isolated", "invert": false,
                      "pattern": {"Regex": "''(?i:[st])| ?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s"}}},
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}}');
SELECT token, start, stop FROM lmtext.tokens('don''t pay  1234', 'split') ORDER BY "position";
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer.json": {"pre_tokenizer": {"type": "Split", "behavior": "Removed",
    "invert": false, "pattern": {"Regex": "(a|b)\\1"}}}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer.json": {"normalizer": {"type": "Replace", "content": "b",
    "pattern": {"Regex": "a(?=bc)"}}}}');

DROP SCHEMA tokenizer_files CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'tokenizer_files';
SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;
