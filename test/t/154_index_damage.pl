# 154_index_damage.pl - each check of a page of an index of method lmtext: one number of one page is another than it should be, and
# the statement that meets it says so. (150_index.pl and 152_index_words.pl damage pages at random.)
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $primary = start_node('damage', streaming => 1, conf => <<'CONF');
ignore_checksum_failure = on
autovacuum = off
CONF

value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny', '{"max_tokens": 16}');
ALTER DATABASE postgres SET lmtext.embedding_model = 'm';
ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0;
SQL

# Kinds of pages, parts of words, and places in pages: src/pg/am/index.h, words.h, hashes.c, waiting.c.
my %kind = (lists => 2, vectors => 4, buckets => 7, hashes => 8, waiting => 9, root => 10, words => 11);
my %part = (directory => 1, dictionary => 2, documents => 3, postings => 4, waits => 5);
my ($body, $next) = (24, 8176 + 8);
my $none = 0xFFFFFFFF;
my $self = 'self';

# What is asked.
my $check = sub { "SELECT string_agg(detail, '; ') FROM lmtext.index_check('$_[0]_i') WHERE NOT ok" };
my $words = sub { "SELECT count(*) FROM (SELECT id FROM $_[0] ORDER BY body <\@> 'every w3 w5' LIMIT 1000) x" };
my $added = sub { "INSERT INTO $_[0] VALUES (0, 'a text that is new')" };
my $again = sub { "INSERT INTO $_[0] VALUES (0, 'every w1')" };
my $flush = sub { "SELECT lmtext.index_flush('$_[0]_i')" };
my $flushed = sub { "DELETE FROM $_[0] WHERE id = 1; VACUUM $_[0]; INSERT INTO $_[0] SELECT i, 'more ' || md5(i::text) FROM generate_series(200, 900) i;
    SELECT lmtext.index_flush('$_[0]_i')" };
my $vacuum = sub { "DELETE FROM $_[0] WHERE id = 1; VACUUM $_[0]" };

# Name, page (of words: its part; the n-th such page), numbers to write at places of it (none: an empty page comes to the end), a
# statement, what is said (none: nothing, and the index is sound).
my @cases = (
    # Any page.
    [ 'magic', 'words', [ 8176, 'L', 0 ], $check, qr/no page of this access method/ ],
    [ 'version', 'words', [ 8176 + 6, 'S', 9 ], $check, qr/Its version is 9; this library reads version 1/ ],
    [ 'kind', 'root', [ 8176 + 4, 'S', 3 ], $check, qr/Its kind is 3; it should be the root of words/ ],
    [ 'lower', 'words', [ 12, 'S', 100 ], $check, qr/Its header is not that of a page/ ],
    [ 'upper', 'words', [ 12, 'SS', 4000, 4000 ], $check, qr/Its header is not that of a page/ ],
    [ 'new', 'words', [ 0, 'a8192', '' ], $check, qr/It is empty; it should be a page of words/ ],
    # The root of words.
    [ 'root_magic', 'root', [ $body, 'L', 1 ], $check, qr/root of words has numbers out of range/ ],
    [ 'root_segments', 'root', [ $body + 80, 'L', 49 ], $words, qr/root of words has numbers out of range/ ],
    [ 'root_spares', 'root', [ $body + 84, 'L', 65 ], $added, qr/root of words has numbers out of range/ ],
    [ 'root_waiting', 'root', [ $body + 20, 'L', 7 ], $check, qr/Other documents wait than the root says/ ],
    [ 'root_last', 'root', [ $body + 36, 'L', 2 ], $added, qr/no page of documents that wait/ ],
    [ 'root_documents', 'root', [ $body + 92, 'L', 7 ], $check, qr/another number of documents than it says/ ],
    [ 'root_generation', 'root', [ $body + 88, 'L', 99 ], $check, qr/of another generation/ ],
    [ 'root_pending', 'root', [ $body + 16, 'L', 99 ], $check, qr/of another generation/ ],
    [ 'root_outside', 'root', [ $body + 112, 'L', 100000 ], $words, qr/The index ends before it/ ],
    # Pages of words.
    [ 'part', 'dictionary', [ $body, 'S', 9 ], $check, qr/another part of the words than it should be/ ],
    [ 'used', 'documents', [ $body + 2, 'S', 65535 ], $check, qr/another part of the words than it should be/ ],
    [ 'owner', 'dictionary', [ 8176 + 12, 'L', 77 ], $check, qr/of another generation/ ],
    [ 'owner_postings', 'postings', [ 8176 + 12, 'L', 77 ], $check, qr/of another generation/ ],
    [ 'owner_waiting', 'waits', [ 8176 + 12, 'L', 77 ], $check, qr/of another generation/ ],
    [ 'directory_key', 'directory', [ $body + 8, 'Q', 2**40 ], $words, qr/no page of a document that a word names/, 'last' ],
    [ 'directory_circle', 'directory', [ $next, 'L', $self ], $check, qr/A directory of its words is a circle/, 'first' ],
    [ 'documents_circle', 'documents', [ $next, 'L', $self ], $check, qr/A chain of its words is a circle/ ],
    [ 'documents_few', 'documents', [ $body + 2, 'S', 32 ], $words, qr/lacks a document that a word names/ ],
    [ 'word_hash', 'dictionary', [ $body + 8, 'Q', 1 ], $check, qr/not found where its directory says/ ],
    [ 'word_documents', 'dictionary', [ $body + 8 + 8, 'L', 0 ], $check, qr/has numbers out of range/ ],
    [ 'word_many', 'dictionary', [ $body + 8 + 8, 'L', 1000 ], $check, qr/has numbers out of range/ ],
    [ 'word_rarest', 'dictionary', [ $body + 8 + 22, 'S', 0 ], $check, qr/has numbers out of range/ ],
    [ 'word_most', 'dictionary', [ $body + 8 + 22, 'S', 9999 ], $check, qr/has numbers out of range/ ],
    [ 'word_block', 'dictionary', [ $body + 8 + 12, 'L', $none ], $check, qr/A list of postings ends too early/ ],
    [ 'word_offset', 'dictionary', [ $body + 8 + 20, 'S', 8000 ], $check, qr/begins behind the end of a page/ ],
    [ 'word_shortest', 'dictionary', [ $body + 8 + 16, 'L', 1000 ], $check, qr/another length than its document/ ],
    [ 'postings', 'postings', [ $body + 8, 'a400', "\xff" x 400 ], $check, qr/A block of postings is none|names a document that there is not/ ],
    [ 'document_place', 'documents', [ $body + 8 + 20, 'a6', '' ], $check, qr/A document has no place/ ],
    [ 'document_length', 'documents', [ $body + 8 + 16, 'L', 77 ], $check, qr/another length than its document/ ],
    [ 'document_hash', 'documents', [ $body + 8, 'L', 77 ], $check, qr/./ ],
    # A page that a merge has left behind, when it broke off: VACUUM makes use of it.
    [ 'left_over', 'words', undef, $vacuum, undef ],
    [ 'left_beside', 'words', undef, $flushed, undef ],
    # Hashes of texts. What is but advice is passed over.
    [ 'buckets_none', 'buckets', [ $body, 'L', 0 ], $added, qr/It has too many buckets/ ],
    [ 'buckets_many', 'buckets', [ $body, 'L', 65535 ], $added, qr/It has too many buckets/ ],
    [ 'buckets_self', 'buckets', [ $body, 'L', 100, $next, 'L', $self ], $vacuum, qr/names itself as the other table/ ],
    [ 'hashes_many', 'hashes', [ $body, 'L', 65535 ], $added, qr/It has too many hashes/ ],
    [ 'hashes_circle', 'hashes', [ $next, 'L', $self ], $added, qr/The chain of pages that it is in is a circle/ ],
    [ 'hashes_outside', 'hashes', [ $next, 'L', 100000 ], $added, qr/The page behind it is not in the index/ ],
    [ 'hashes_item', 'hashes', [ $body + 8, 'a4000', "\xff" x 4000 ], $again, undef ],
    # Rows that wait for being embedded.
    [ 'waiting_many', 'waiting', [ $body, 'L', 65535 ], $flush, qr/It has too many places/ ],
    [ 'waiting_vacuum', 'waiting', [ $body, 'L', 65535 ], $vacuum, qr/It has too many places/ ],
    [ 'waiting_circle', 'waiting', [ $next, 'L', $self ], $check, qr/is a circle/ ],
);

sub of_words { my ($page) = @_; return !exists $kind{$page} || $page =~ /^(root|words)$/ }

for my $case (@cases)
{
    my ($name, $page) = @$case;
    my $options = of_words($page) ? 'words = true' : "model = 'm\@1'";
    $options = "words = true, model = 'm\@1'" if $name eq 'left_beside';
    value("CREATE TABLE $name AS SELECT i AS id, 'every w' || i % 7 || repeat(' w5', i % 3) AS body FROM generate_series(1, 20) i;
        CREATE INDEX ${name}_i ON $name USING lmtext (body) WITH ($options); INSERT INTO $name SELECT i, 'it waits ' || i FROM generate_series(100, 109) i");
}
value('CHECKPOINT');
my %file = map { ($_->[0] => value("SELECT pg_relation_filepath('$_->[0]_i')")) } @cases;
$primary->stop;

# The pages of this kind, by their numbers.
sub pages_of
{
    my ($handle, $page) = @_;
    my @found;
    seek $handle, 0, 0;
    for (my $number = 0; read $handle, my $bytes, 8192; $number++)
    {
        my $there = unpack 'S', substr $bytes, 8176 + 4, 2;
        my $wanted = $kind{$page} // $kind{words};
        next if $there != $wanted || (exists $part{$page} && unpack('S', substr $bytes, $body, 2) != $part{$page});
        push @found, $number;
    }
    return @found;
}

for my $case (@cases)
{
    my ($name, $page, $numbers, undef, undef, $which) = @$case;
    my $path = $primary->data_dir . "/$file{$name}";
    open my $handle, '+<:raw', $path or die "$path: $!";
    my @pages = pages_of($handle, $page);
    ok(@pages > 0, "$name has such a page");
    if (!$numbers)
    {
        seek $handle, 0, 2;
        print {$handle} "\0" x 8192;
        close $handle;
        next;
    }
    my $number = $pages[ ($which // 'first') eq 'last' ? -1 : 0 ] // 0;
    my @rest = @$numbers;
    while (@rest)
    {
        my ($at, $form) = splice @rest, 0, 2;
        my @values = splice @rest, 0, $form eq 'SS' ? 2 : 1;
        seek $handle, 8192 * $number + $at, 0;
        print {$handle} pack $form, map { $_ eq $self ? $number : $_ } @values;
    }
    close $handle;
}
$primary->start;
expect_restart();

# An error's detail, or what a check says.
for my $case (@cases)
{
    my ($name, undef, undef, $statement, $said) = @$case;
    my ($status, $out, $err) = $primary->psql('postgres', "SET client_min_messages = error; SET statement_timeout = '60s'; " . $statement->($name),
        extra_params => [ '-v', 'VERBOSITY=verbose' ]);
    if (defined $said)
    {
        like("$out$err", $said, $name);
        like($err, qr/^$|XX002/, "$name: that is its SQLSTATE");
    }
    else
    {
        is($err, '', "$name: it is passed over");
        is(value($check->($name)), '', "$name: and is sound");
    }
    value("REINDEX INDEX ${name}_i");
    is(value($check->($name)), '', "$name is mended by REINDEX");
}
safe('damaged pages');

# ---- On a standby a page may be used again for something else: run the statement once more ----

# Name, page, place, number, SQLSTATE: a page of lists is one of codes, vectors, a strip, free, or the meta page; vectors are others'.
my @moved = ([ 'codes', 'lists', 4, 3, '40001' ], [ 'vectors', 'lists', 4, 4, '40001' ], [ 'strip', 'lists', 4, 5, '40001' ], [ 'free', 'lists', 4, 12, '40001' ],
    [ 'meta', 'lists', 4, 1, 'XX002' ], [ 'owned', 'vectors', 12, 0, '40001' ]);
value("CREATE TABLE s_$_ AS SELECT i AS id, 'every w' || i AS body FROM generate_series(1, 20) i; CREATE INDEX s_${_}_i ON s_$_ USING lmtext (body) WITH (model = 'm\@1')")
    for map { $_->[0] } @moved;
value('CHECKPOINT');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('damage_standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
for my $case (@moved)
{
    my ($name, $page, $at, $number) = @$case;
    my $path = $standby->data_dir . '/' . value("SELECT pg_relation_filepath('s_${name}_i')");
    open my $handle, '+<:raw', $path or die "$path: $!";
    my ($block) = pages_of($handle, $page);
    seek $handle, 8192 * $block + 8176 + $at, 0;
    print {$handle} pack $at == 4 ? 'S' : 'L', $number;
    close $handle;
}
$standby->start;
for my $case (@moved)
{
    my ($name, undef, undef, undef, $state) = @$case;
    my ($status, $out, $err) = $standby->psql('postgres', "SET enable_seqscan = off; SELECT id FROM s_$name WHERE body IS NOT NULL ORDER BY body <=> 'every w7' LIMIT 1",
        extra_params => [ '-v', 'VERBOSITY=verbose' ]);
    like($err, $state eq '40001' ? qr/40001.*lists of index "s_${name}_i" were made anew/s : qr/$state/, "on a standby, $name");
}
$standby->stop;

done();
