# 122_encodings.pl - the database's encoding, collation and locale change nothing: same ids and bits; what is no
# UTF-8 is refused to its last byte; a label that the encoding does not have is an error, not another label.
use strict;
use warnings;

use Lmtext;

my $node = start_node('encodings');

# Databases: name, encoding, locale provider and locale. C.UTF-8 is the reference.
my @databases = (
    [ 'utf8', 'UTF8', q{LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'} ],
    [ 'c', 'UTF8', q{LC_COLLATE 'C' LC_CTYPE 'C'} ],
    [ 'turkish', 'UTF8', q{LC_COLLATE 'tr_TR.UTF-8' LC_CTYPE 'tr_TR.UTF-8'} ],
    [ 'english', 'UTF8', q{LC_COLLATE 'en_US.UTF-8' LC_CTYPE 'en_US.UTF-8'} ],
    [ 'icu', 'UTF8', q{LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'} ],
    [ 'latin1', 'LATIN1', q{LC_COLLATE 'C' LC_CTYPE 'C'} ],
    [ 'win1252', 'WIN1252', q{LC_COLLATE 'C' LC_CTYPE 'C'} ],
    [ 'euc_jp', 'EUC_JP', q{LC_COLLATE 'C' LC_CTYPE 'C'} ],
    [ 'sql_ascii', 'SQL_ASCII', q{LC_COLLATE 'C' LC_CTYPE 'C'} ],
);
# A server without ICU has one collation of that provider all the same ("unicode", since 16).
my $has_icu = value(q{SELECT count(*) > 1 FROM pg_collation WHERE collprovider = 'i'}) eq 't';
my %locales = map { lc($_) => 1 } split /\n/, qx{locale -a};
ok($locales{'tr_tr.utf8'}, 'the system has the Turkish locale');

# Texts, and the encodings that can hold them.
my @texts = (
    [ 'İstanbul ISPARTA ılık IĞDIR i I ı', 'UTF8 SQL_ASCII' ],
    [ 'TITLE istanbul INSERT', 'UTF8 SQL_ASCII LATIN1 WIN1252 EUC_JP' ],
    [ 'Grüße, Straße, ÀÉÎÕÜ naïve façade ÿ × ÷', 'UTF8 SQL_ASCII LATIN1 WIN1252' ],
    [ 'a € sign and “quotes”', 'UTF8 SQL_ASCII WIN1252' ],
    [ '日本語 です。カタカナ', 'UTF8 SQL_ASCII EUC_JP' ],
    [ 'ΣΊΣΥΦΟΣ ἀρχή', 'UTF8 SQL_ASCII' ],
    [ 'e' . "\x{0301}" . ' Ａ ﬁ ǅ 가각힣 🙂👍🏽', 'UTF8 SQL_ASCII' ],
    [ 'plain words only', 'UTF8 SQL_ASCII LATIN1 WIN1252 EUC_JP' ],
    [ '', 'UTF8 SQL_ASCII LATIN1 WIN1252 EUC_JP' ],
);

sub answer
{
    my ($database, $text) = @_;
    my $quoted = $text =~ s/'/''/gr;
    utf8::encode($quoted) if utf8::is_utf8($quoted);
    return value(qq{SET client_encoding = 'UTF8'; SELECT lmtext.token_ids('$quoted', 'm'),
        lmtext.embed('$quoted', 'm'), lmtext.count_tokens('$quoted', 'm'), lmtext.embed(ARRAY['$quoted'], 'm'),
        (SELECT string_agg(start || ' ' || stop, ',') FROM lmtext.tokens('$quoted', 'm'))}, $database);
}

my %made;
for my $row (@databases)
{
    my ($database, $encoding, $locale) = @$row;
    next if $database eq 'icu' && !$has_icu;
    value("CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' $locale");
    value("CREATE EXTENSION lmtext; SELECT lmtext.import_model('m', '$tiny'); SELECT lmtext.import_model('real', '$real')", $database);
    $made{$database} = $encoding;
}
for my $row (@texts)
{
    my ($text, $encodings) = @$row;
    my $wanted = answer('utf8', $text);
    for my $database (sort keys %made)
    {
        next if $database eq 'utf8' || !grep { $_ eq $made{$database} } split / /, $encodings;
        my $got = answer($database, $text);
        # Offsets are in characters; those of SQL_ASCII are bytes.
        ($got, my $reference) = map { $database eq 'sql_ascii' ? s/\|[^|]*$//r : $_ } $got, $wanted;
        is($got, $reference, "$database: the ids and bits of UTF8, text " . substr(unpack('H*', $text), 0, 12));
    }
}
for my $database (sort keys %made)
{
    is(value(q{SELECT lmtext.embed('TITLE in Istanbul', 'real')}, $database),
        value(q{SELECT lmtext.embed('TITLE in Istanbul', 'real')}, 'utf8'), "$database: the real model");
}

# ---- Texts of rows that are read ahead, in every encoding ----

for my $database (sort keys %made)
{
    my $shown = join ', ', map { q{('} . $_->[0] . q{')} } grep { my $row = $_; grep { $_ eq $made{$database} } split / /, $row->[1] } @texts;
    utf8::encode($shown) if utf8::is_utf8($shown);
    value(qq{SET client_encoding = 'UTF8'; CREATE TABLE ahead (i int GENERATED ALWAYS AS IDENTITY, body text);
        INSERT INTO ahead (body) SELECT CASE WHEN i % 5 > 0 THEN t || ' ' || i ELSE t END FROM generate_series(1, 20) i, (VALUES $shown) v (t)}, $database);
    my $digest = q{SET max_parallel_workers_per_gather = 0; SELECT count(*) = count(e) AND count(*) >= 60, md5(string_agg(e::text, '|' ORDER BY i)), (SELECT forwards FROM lmtext.session_counters())
        FROM (SELECT i, lmtext.embed(body, 'm') AS e FROM ahead OFFSET 0) s};
    my @batched = split /\|/, value($digest, $database);
    my @alone = split /\|/, value("SET lmtext.batch = off; $digest", $database);
    is("@batched[0, 1]", "t $alone[1]", "$database: rows read ahead, the same bits");
    cmp_ok($batched[2] * 3, '<', $alone[2], "and in batches: $batched[2] passes, not $alone[2]");
    is(value(q{SELECT bool_and(lmtext.similarity(body, 'words', 'm') = s AND s IS NOT NULL) FROM (SELECT body, lmtext.similarity(body, 'words', 'm') AS s
        FROM ahead ORDER BY i DESC OFFSET 0) q}, $database), 't', 'and similarities');
}
# What has no UTF-8 is an error of its own row, and of no row before it.
for my $case ([ 'sql_ascii', q{E'\xe6\x97'}, '22021' ], [ 'euc_jp', q{convert_from('\x8fa2a1', 'EUC_JP')}, '22P05' ])
{
    my ($database, $text, $state) = @$case;
    value(qq{CREATE TABLE broken AS SELECT i, CASE WHEN i = 12 THEN 'word ' || $text ELSE 'word ' || i END AS body FROM generate_series(1, 30) i}, $database);
    like(value(q{EXPLAIN SELECT i, lmtext.embed(body, 'm') FROM broken}, $database), qr/LmtextBatch/, "$database: a text that is none");
    is(state_of(q{SELECT lmtext.embed(body, 'm') FROM broken}, $database), $state, 'is an error');
    is(value(q{SELECT count(lmtext.embed(body, 'm')) FROM (SELECT * FROM broken ORDER BY i LIMIT 11) b}, $database), '11', 'not of the rows before');
    is(value(q{SELECT count(e) FROM (SELECT lmtext.embed(body, 'm') AS e FROM broken ORDER BY i LIMIT 11) b}, $database), '11', 'that are read ahead');
    my ($status, $out, $err) = $node->psql($database, q{BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT i, lmtext.embed(body, 'm') IS NOT NULL FROM broken ORDER BY i;
        MOVE 10 IN c; FETCH c; FETCH c}, extra_params => [ '-v', 'VERBOSITY=sqlstate' ], on_error_stop => 0);
    is($out, '11|t', 'nor where it was in the batch');
    like($err, qr/ERROR:  $state$/, 'when its turn has come');
    is(value(q{SELECT count(e) FROM (SELECT lmtext.embed(body, 'm') AS e FROM broken WHERE i <> 12 OFFSET 0) b}, $database), '29', 'the others have vectors');
}

# ---- Collations of arguments have no say ----

my $plain = value(q{SELECT lmtext.token_ids('TITLE ISPARTA', 'm')}, 'utf8');
for my $collation (value(q{SELECT string_agg(quote_ident(collname), ' ') FROM pg_collation
        WHERE collname IN ('C', 'POSIX', 'tr_TR', 'tr-TR-x-icu', 'tr-x-icu')}, 'utf8') =~ /\S+/g)
{
    is(value(qq{SELECT lmtext.token_ids('TITLE ISPARTA' COLLATE $collation, 'm')}, 'utf8'), $plain, "COLLATE $collation");
}
is(value(q{SELECT lmtext.token_ids(lower('ISPARTA'), 'm') = lmtext.token_ids('ISPARTA', 'm')}, 'turkish'), 'f',
    'where lower() is Turkish, the tokenizer is not');

# ---- Bytes that are no UTF-8, at the end of a datum of every kind ----

value(<<'SQL', 'sql_ascii');
CREATE FUNCTION state_of(bytes bytea, pad int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lmtext.count_tokens(convert_from(convert_to(repeat('a ', pad), 'SQL_ASCII') || bytes, 'SQL_ASCII'), 'm');
    RETURN 'fine';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
-- Is it UTF-8? By the rule of RFC 3629, written out.
CREATE FUNCTION well_formed(b bytea) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    i int := 0; n int := length(b); a int; more int; low int; high int;
BEGIN
    WHILE i < n LOOP
        a := get_byte(b, i);
        low := 128; high := 191;
        IF a < 128 THEN more := 0;
        ELSIF a BETWEEN 194 AND 223 THEN more := 1;
        ELSIF a BETWEEN 224 AND 239 THEN more := 2;
            IF a = 224 THEN low := 160; ELSIF a = 237 THEN high := 159; END IF;
        ELSIF a BETWEEN 240 AND 244 THEN more := 3;
            IF a = 240 THEN low := 144; ELSIF a = 244 THEN high := 143; END IF;
        ELSE RETURN false;
        END IF;
        FOR k IN 1 .. more LOOP
            IF i + k >= n OR get_byte(b, i + k) NOT BETWEEN low AND high THEN RETURN false; END IF;
            low := 128; high := 191;
        END LOOP;
        i := i + more + 1;
    END LOOP;
    RETURN true;
END $$;
SQL
my $step = effort(7, 3, 1);
my $wrong = value(<<"SQL", 'sql_ascii');
WITH one AS (SELECT set_byte('\\x00'::bytea, 0, a) AS b FROM generate_series(128, 255) a),
     two AS (SELECT set_byte(set_byte('\\x0000'::bytea, 0, a), 1, c) AS b
             FROM generate_series(192, 255, 1) a, generate_series(0, 255, $step) c WHERE c > 0),
     three AS (SELECT set_byte(set_byte(set_byte('\\x000000'::bytea, 0, a), 1, c), 2, d) AS b
               FROM generate_series(224, 240) a, generate_series(127, 192, $step) c, unnest('{1,127,128,191,192,255}'::int[]) d),
     four AS (SELECT set_byte(set_byte(set_byte(set_byte('\\x00000000'::bytea, 0, a), 1, c), 2, 128), 3, d) AS b
              FROM generate_series(240, 248) a, generate_series(127, 192, $step) c, unnest('{1,127,128,191,192,255}'::int[]) d),
     every AS (SELECT * FROM one UNION ALL SELECT * FROM two UNION ALL SELECT * FROM three UNION ALL SELECT * FROM four)
SELECT count(*) || ' ' || count(*) FILTER (WHERE state_of(b, pad) <> CASE WHEN well_formed(b) THEN 'fine' ELSE '22021' END)
FROM every, unnest('{0,60,700}'::int[]) pad
SQL
like($wrong, qr/^\d{4,} 0$/, "bytes at the end of a text: $wrong are judged wrongly");
# A short header, an inline long one, compressed and external datums.
value(<<'SQL', 'sql_ascii');
CREATE TABLE kept (kind text, body text);
ALTER TABLE kept ALTER body SET STORAGE EXTERNAL;
INSERT INTO kept SELECT 'external', repeat(md5(i::text), 300) || E'\xe6\x97' FROM generate_series(1, 3) i;
INSERT INTO kept SELECT 'short', 'ab' || E'\xe6\x97' FROM generate_series(1, 3) i;
ALTER TABLE kept ALTER body SET STORAGE MAIN;
INSERT INTO kept SELECT 'compressed', repeat('word ', 2000) || E'\xf0\x9f\x99' FROM generate_series(1, 3) i;
SQL
for my $kind (qw(external short compressed))
{
    is(state_of("SELECT lmtext.embed(body, 'm') FROM kept WHERE kind = '$kind'", 'sql_ascii'), '22021', "$kind, cut within a character");
    is(value("SELECT count(lmtext.embed(body || E'\\xa5', 'm')) FROM kept WHERE kind = '$kind'", 'sql_ascii') + 0, 3,
        "$kind, completed")
      if $kind ne 'compressed';
}

# ---- What goes out must fit the encoding ----

value(q{SET client_encoding = 'UTF8'; CALL lmtext.train('mood', $$SELECT i::text, CASE WHEN i % 2 = 0 THEN 'ja' ELSE 'nein' END
    FROM generate_series(1, 20) i$$, '{"base": "m", "hold_out": 0}')}, 'latin1');
like(value(q{SELECT lmtext.classify('1', 'mood')}, 'latin1'), qr/^(ja|nein)$/, 'a label in LATIN1');
my $ids = value(q{SELECT lmtext.token_ids('日本', 'real')}, 'utf8');
my $back = "SET client_encoding = 'UTF8'; SELECT lmtext.detokenize('$ids', 'real')";
is(value($back, 'euc_jp'), value($back, 'utf8'), 'tokens that the encoding has');
is(state_of("SELECT lmtext.detokenize('$ids', 'real')", 'latin1'), '22P05', 'and those that it does not have');
safe('after all encodings');
done();
