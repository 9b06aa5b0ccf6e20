/*
 * test_pytorch.c - files of torch.save as safetensors files: what is taken, and what is refused
 * with which words. The archives are written here; models/tiny/bert-bin* are the library's own.
 */
#include "base/buffer.h"
#include "fake.h"
#include "format/pytorch.h"
#include "format/tensors.h"
#include "format/zip.h"
#include "unit.h"

/* --- archives --------------------------------------------------------------------------------- */

typedef struct entry {
    const char *name;
    const void *bytes;
    size_t size;
} entry;

static void
put(lm_buffer *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        (void)lm_buffer_append_byte(out, i < 8 ? (char)(value >> 8 * i) : 0);
}

static void
put_local(lm_buffer *out, const entry *e)
{
    put(out, 0x04034b50, 4);
    put(out, 0, 22);
    put(out, strlen(e->name), 2);
    put(out, 0, 2);
    (void)lm_buffer_append_string(out, e->name);
    (void)lm_buffer_append(out, e->bytes, e->size);
}

static void
put_central(lm_buffer *out, const entry *e, size_t offset)
{
    put(out, 0x02014b50, 4);
    put(out, 0, 16);
    put(out, e->size, 4);
    put(out, e->size, 4);
    put(out, strlen(e->name), 2);
    put(out, 0, 12);
    put(out, offset, 4);
    (void)lm_buffer_append_string(out, e->name);
}

static void
put_archive(lm_buffer *out, const entry *entries, size_t count)
{
    size_t offsets[8], start;

    for (size_t i = 0; i < count; i++) {
        offsets[i] = out->size;
        put_local(out, &entries[i]);
    }
    start = out->size;
    for (size_t i = 0; i < count; i++)
        put_central(out, &entries[i], offsets[i]);
    put(out, 0x06054b50, 4);
    put(out, 0, 4);
    put(out, count, 2);
    put(out, count, 2);
    put(out, out->size - 12 - start, 4);
    put(out, start, 4);
    put(out, 0, 2);
}

/* --- pickles ---------------------------------------------------------------------------------- */

#define TEXT(length, text) "X" length "\0\0\0" text
#define STORAGE(class, key, count) \
    "(" TEXT("\7", "storage") "ctorch\n" class "\n" TEXT("\1", key) "NK" count "tQ"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n("
#define NO_HOOKS \
    "\x89"       \
    "ccollections\nOrderedDict\n)RtR"
#define NAME TEXT("\1", "w")
#define FIRST \
    "\x80\2"  \
    "}" NAME
#define LAST "s."

/* A tensor of 2 × 3 in a storage of 6 floats. */
#define SOUND REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\2K\3\x86K\3K\1\x86" NO_HOOKS

static const float six[] = {1, 2, 3, 4, 5, 6};

typedef struct pickle_case {
    const char *what, *bytes;
    size_t size;
    lm_status wanted;
    const char *said; /* in found, key or message */
} pickle_case;

#define CASE(what, bytes, status, said)              \
    {                                                \
        what, bytes, sizeof(bytes) - 1, status, said \
    }

static const pickle_case pickles[] = {
    CASE("sound", FIRST SOUND LAST, LM_OK, ""),
    CASE("scalar", FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\5))" NO_HOOKS LAST, LM_OK,
         ""),
    CASE("stride of one row",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\2K\1K\4\x86K\x63K\1\x86" NO_HOOKS LAST,
         LM_OK, ""),
    CASE("parameter", FIRST "ctorch._utils\n_rebuild_parameter\n" SOUND "\x89)\x87R" LAST, LM_OK,
         ""),
    CASE("state of the dict", FIRST SOUND "s}" TEXT("\1", "v") "K\1sb.", LM_OK, ""),
    CASE("metadata none",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\6\x85K\1\x85\x89)NtR" LAST, LM_OK,
         ""),
    CASE("transposed",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\2K\3\x86K\1K\2\x86" NO_HOOKS LAST,
         LM_UNSUPPORTED, "follow each other"),
    CASE("past the storage",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\1K\6\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "past the end"),
    CASE("another length",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\5") "K\0K\5\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "24 bytes"),
    CASE("another width",
         FIRST REBUILD STORAGE("HalfStorage", "0", "\6") "K\0K\6\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "24 bytes"),
    CASE("no such storage",
         FIRST REBUILD STORAGE("FloatStorage", "7", "\6") "K\0K\6\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "not in its zip archive"),
    CASE("no numbers",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\0\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("negative offset",
         FIRST REBUILD STORAGE("FloatStorage", "0",
                               "\6") "J\xff\xff\xff\xffK\6\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("huge sizes",
         FIRST REBUILD STORAGE("FloatStorage", "0",
                               "\6") "K\0\x8a\x08\0\0\0\0\0\0\0\x7f\x8a\x08\0\0\0\0\0\0\0\x7f\x86"
                                     "\x8a\x08\0\0\0\0\0\0\0\x7fK\1\x86" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("os.system", FIRST "cos\nsystem\n" TEXT("\4", "true") "\x85R" LAST, LM_UNSUPPORTED,
         "os.system"),
    CASE("eval",
         "\x80\2"
         "c__builtin__\neval\n.",
         LM_UNSUPPORTED, "__builtin__.eval"),
    CASE("old rebuild", FIRST "ctorch._utils\n_rebuild_tensor\n" LAST, LM_UNSUPPORTED,
         "torch._utils._rebuild_tensor"),
    CASE("sparse", FIRST "ctorch._utils\n_rebuild_sparse_tensor\n" LAST, LM_UNSUPPORTED,
         "_rebuild_sparse_tensor"),
    CASE("quantized storage", FIRST "ctorch\nQInt8Storage\n" LAST, LM_UNSUPPORTED,
         "torch.QInt8Storage"),
    CASE("stack global", "\x80\2\x93.", LM_UNSUPPORTED, "0x93"),
    CASE("instance", "\x80\2(i__main__\nX\n.", LM_UNSUPPORTED, "0x69"),
    CASE("extension", "\x80\2\x82\1.", LM_UNSUPPORTED, "0x82"),
    CASE("protocol 4", "\x80\4}.", LM_UNSUPPORTED, "protocol 4"),
    CASE("a dict in the dict", FIRST "}" LAST, LM_UNSUPPORTED, "w"),
    CASE("a number in the dict", FIRST "K\1" LAST, LM_UNSUPPORTED, "w"),
    CASE("no dict", "\x80\2K\1.", LM_UNSUPPORTED, "dict of tensors"),
    CASE("two results", "\x80\2}}.", LM_UNSUPPORTED, "dict of tensors"),
    CASE("a storage that is called", FIRST "ctorch\nFloatStorage\n)R" LAST, LM_BAD_MODEL,
         "no function"),
    CASE("a number that is called", FIRST "K\1)R" LAST, LM_BAD_MODEL, "no function"),
    CASE("a function as a storage's class",
         FIRST
         "(" TEXT("\7", "storage") "ccollections\nOrderedDict\n" TEXT("\1", "0") "NK\6tQ" LAST,
         LM_BAD_MODEL, "storage incorrectly"),
    CASE("a dict of arguments",
         "\x80\2"
         "ccollections\nOrderedDict\n}\x85R.",
         LM_UNSUPPORTED, "as torch.save does"),
    CASE("build of a tensor", FIRST SOUND "}b" LAST, LM_UNSUPPORTED, "builds"),
    CASE("a key that is a number", "\x80\2}K\1" SOUND LAST, LM_BAD_MODEL, "not a text"),
    CASE("an empty name", "\x80\2}" TEXT("\0", "") SOUND LAST, LM_BAD_MODEL, "empty"),
    CASE("a name with NUL", "\x80\2}" TEXT("\2", "a\0") SOUND LAST, LM_BAD_MODEL, "empty"),
    CASE("a name not in UTF-8", "\x80\2}" TEXT("\1", "\xff") SOUND LAST, LM_BAD_MODEL, "UTF-8"),
    CASE("an odd number of items", "\x80\2}(" NAME "u.", LM_BAD_MODEL, "no dict"),
    CASE("items of no dict", "\x80\2K\1(u.", LM_BAD_MODEL, "no dict"),
    CASE("no mark", "\x80\2}t.", LM_BAD_MODEL, "mark"),
    CASE("an empty stack", "\x80\2\x85.", LM_BAD_MODEL, "not there"),
    CASE("a mark as a value", "\x80\2(\x85.", LM_BAD_MODEL, "not there"),
    CASE("memo read first", "\x80\2h\0.", LM_BAD_MODEL, "memo"),
    CASE("memo with a hole", "\x80\2}q\1.", LM_BAD_MODEL, "memo"),
    CASE("memo of 4 billion", "\x80\2}r\xff\xff\xff\xff.", LM_BAD_MODEL, "memo"),
    CASE("a long of 255 bytes", "\x80\2\x8a\xff.", LM_BAD_MODEL, "64 bits"),
    CASE("a text of 4 GB", "\x80\2X\xff\xff\xff\xff.", LM_BAD_MODEL, "truncated"),
    CASE("a global without an end",
         "\x80\2"
         "cos\nsystem",
         LM_BAD_MODEL, "truncated"),
    CASE("no end", FIRST SOUND "s", LM_BAD_MODEL, "truncated"),
    CASE("numbers of all widths",
         FIRST REBUILD STORAGE("FloatStorage", "0",
                               "\6") "\x8a\0\x8a\1\2\x8a\2\3\0\x86M\3\0K\1\x86" NO_HOOKS LAST,
         LM_OK, ""),
    CASE("a size that is none",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0N\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("a stride that is none",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\6\x85N\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("sizes that are no tuple",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\6K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("strides that are no tuple",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\6\x85K\1" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("fewer strides than sizes",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\6\x85)" NO_HOOKS LAST, LM_BAD_MODEL,
         "incorrectly"),
    CASE("nine sizes",
         FIRST REBUILD STORAGE("FloatStorage", "0",
                               "\6") "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1tq\0h\0" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("an offset that is none",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "NK\6\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("five arguments",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\6\x85K\1\x85\x89tR" LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("eight arguments",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\6\x85K\1\x85\x89NNNtR" LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("metadata",
         FIRST REBUILD STORAGE("FloatStorage", "0", "\6") "K\0K\6\x85K\1\x85\x89NK\1tR" LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("a tensor of no storage", FIRST REBUILD "NK\0K\6\x85K\1\x85" NO_HOOKS LAST, LM_BAD_MODEL,
         "incorrectly"),
    CASE("a parameter of two", FIRST "ctorch._utils\n_rebuild_parameter\n" SOUND "\x89\x86R" LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("a parameter of none", FIRST "ctorch._utils\n_rebuild_parameter\nN\x89)\x87R" LAST,
         LM_BAD_MODEL, "incorrectly"),
    CASE("a call with no tuple", FIRST "ccollections\nOrderedDict\nNR" LAST, LM_BAD_MODEL,
         "no function"),
    CASE("a storage that is no tuple",
         FIRST "N"
               "Q" LAST,
         LM_BAD_MODEL, "storage incorrectly"),
    CASE("a storage of three",
         FIRST TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT("\1", "0") "\x87"
                                                                              "Q" LAST,
         LM_BAD_MODEL, "storage incorrectly"),
    CASE("a storage without its word",
         FIRST "(N"
               "ctorch\nFloatStorage\n" TEXT("\1", "0") "NK\6t"
                                                        "Q" LAST,
         LM_BAD_MODEL, "storage incorrectly"),
    CASE("a storage of another word",
         FIRST "(" TEXT("\7", "stowage") "ctorch\nFloatStorage\n" TEXT("\1", "0") "NK\6t"
                                                                                  "Q" LAST,
         LM_BAD_MODEL, "storage incorrectly"),
    CASE("a storage without a class",
         FIRST "(" TEXT("\7", "storage") "N" TEXT("\1", "0") "NK\6t"
                                                             "Q" LAST,
         LM_BAD_MODEL, "storage incorrectly"),
    CASE("a storage without a key",
         FIRST "(" TEXT("\7", "storage") "ctorch\nFloatStorage\n"
                                         "NNK\6t"
                                         "Q" LAST,
         LM_BAD_MODEL, "storage incorrectly"),
    CASE("a storage without a count",
         FIRST "(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT("\1", "0") "NNt"
                                                                                  "Q" LAST,
         LM_BAD_MODEL, "storage incorrectly"),
    CASE("no protocol", "\x80", LM_BAD_MODEL, "truncated"),
    CASE("a number cut off",
         "\x80\2"
         "K",
         LM_BAD_MODEL, "truncated"),
    CASE("a long cut off",
         "\x80\2"
         "\x8a",
         LM_BAD_MODEL, "truncated"),
    CASE("a long cut short",
         "\x80\2"
         "\x8a\4\1",
         LM_BAD_MODEL, "truncated"),
    CASE("a text cut off",
         "\x80\2"
         "X\1",
         LM_BAD_MODEL, "truncated"),
    CASE("a number of the memo cut off",
         "\x80\2"
         ")q",
         LM_BAD_MODEL, "truncated"),
    CASE("a memo's number cut off",
         "\x80\2"
         "h",
         LM_BAD_MODEL, "truncated"),
    CASE("a module without an end",
         "\x80\2"
         "cos",
         LM_BAD_MODEL, "truncated"),
    CASE("an item of nothing",
         "\x80\2"
         "s.",
         LM_BAD_MODEL, "not there"),
    CASE("an item without a key",
         "\x80\2"
         "Ns.",
         LM_BAD_MODEL, "not there"),
    CASE("build of nothing",
         "\x80\2"
         "b.",
         LM_BAD_MODEL, "not there"),
    CASE("a persistent id of nothing",
         "\x80\2"
         "Q.",
         LM_BAD_MODEL, "not there"),
    CASE("a call of nothing",
         "\x80\2"
         "R.",
         LM_BAD_MODEL, "not there"),
    CASE("a call without a function",
         "\x80\2"
         ")R.",
         LM_BAD_MODEL, "not there"),
    CASE("no result",
         "\x80\2"
         ".",
         LM_BAD_MODEL, "not there"),
    CASE("build without a dict", "\x80\2Nb.", LM_UNSUPPORTED, "builds"),
    CASE("items set without a dict",
         "\x80\2"
         "(u.",
         LM_BAD_MODEL, "no dict"),
    CASE("an item without a dict",
         "\x80\2"
         "NNs.",
         LM_BAD_MODEL, "no dict"),
    CASE("items without a mark",
         "\x80\2"
         "}u.",
         LM_BAD_MODEL, "mark"),
    CASE("nothing to remember",
         "\x80\2"
         "q\0.",
         LM_BAD_MODEL, "memo"),
    CASE("a mark to remember",
         "\x80\2"
         "(q\0.",
         LM_BAD_MODEL, "memo"),
    CASE("a key of sixty",
         FIRST REBUILD "(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT(
             "\x3c",
             "012345678901234567890123456789012345678901234567890123456789") "NK\6tQ"
                                                                             "K\0K\6\x85K\1"
                                                                             "\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "not in its zip archive"),
    CASE("a count beyond all bytes",
         FIRST REBUILD "(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT(
             "\1", "0") "N\x8a\x08\0\0\0\0\0\0\0\x7ftQ"
                        "K\0K\6\x85K\1\x85" NO_HOOKS LAST,
         LM_BAD_MODEL, "24 bytes"),
    CASE("nothing", "", LM_BAD_MODEL, "truncated"),
};

typedef struct opened {
    lm_context ctx;
    lm_arena arena;
    lm_buffer archive;
    fake_source fake;
    lm_source below, source;
    lm_pytorch_files files;
    lm_tensors tensors;
} opened;

/* Under `name`; the weights are looked for in `folder`. */
static lm_status
open_archive(opened *o, const char *name, const char *folder, const entry *entries, size_t count)
{
    memset(o, 0, sizeof *o);
    lm_context_init(&o->ctx);
    lm_arena_init(&o->arena, &o->ctx);
    lm_buffer_init(&o->archive, &o->ctx);
    put_archive(&o->archive, entries, count);
    fake_add_bytes(&o->fake, name, o->archive.data, o->archive.size);
    o->below = fake_open(&o->fake);
    o->source = lm_pytorch_source(&o->files, &o->arena, &o->below);
    return lm_tensors_open(&o->ctx, &o->arena, &o->source, folder, &o->tensors);
}

static void
close_archive(opened *o)
{
    lm_buffer_free(&o->archive);
    lm_arena_free(&o->arena);
}

static lm_status
open_pickle(opened *o, const void *bytes, size_t size)
{
    const entry entries[] = {
        {"m/data.pkl", bytes, size}, {"m/byteorder", "little", 6}, {"m/data/0", six, sizeof six}};

    return open_archive(o, "pytorch_model.bin", "", entries, 3);
}

static void
test_pickles(void)
{
    for (size_t i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        const pickle_case *c = &pickles[i];
        opened o;
        lm_status status = open_pickle(&o, c->bytes, c->size);
        const lm_error *e = &o.ctx.error;

        if (status != c->wanted)
            UNIT_FAIL("%s: status %d, wanted %d: %s", c->what, status, c->wanted, e->message);
        if (status != LM_OK) {
            CHECK_STR(e->file, "pytorch_model.bin");
            if (!strstr(e->message, c->said) && !strstr(e->found, c->said) &&
                !strstr(e->key, c->said))
                UNIT_FAIL("%s: \"%s\" is not in: %s", c->what, c->said, e->message);
            CHECK(status != LM_UNSUPPORTED || strstr(e->hint, "safe_serialization=True"));
        } else {
            CHECK_EQ_INT(o.tensors.count, 1);
        }
        close_archive(&o);
    }
}

/* Values are where the header says, in whatever pieces they are read. */
static void
test_values(void)
{
    opened o;
    float values[6] = {0};
    const lm_tensor *w;

    CHECK_OK(&o.ctx, open_pickle(&o, FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1));
    w = lm_tensors_find(&o.tensors, "w");
    CHECK(w != NULL && w->rank == 2 && w->shape[0] == 2 && w->shape[1] == 3);
    for (size_t piece = 1; piece <= 24; piece++) {
        memset(values, 0, sizeof values);
        for (size_t at = 0; at < 24; at += piece)
            CHECK_OK(&o.ctx, o.source.read(&o.ctx, o.source.opaque, w->file, w->offset + at,
                                           (char *)values + at, piece < 24 - at ? piece : 24 - at));
        CHECK(memcmp(values, six, sizeof six) == 0);
    }
    CHECK_EQ_INT(o.source.read(&o.ctx, o.source.opaque, w->file, w->offset + 1, values, 24),
                 LM_BAD_MODEL);
    close_archive(&o);
}

/* In any folder; safetensors files win. */
static void
test_names(void)
{
    const entry entries[] = {{"m/data.pkl", FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1},
                             {"m/data/0", six, sizeof six}};
    bool found = false;
    uint64_t size;
    opened o;

    CHECK_OK(&o.ctx, open_archive(&o, "2_Dense/pytorch_model.bin", "2_Dense", entries, 2));
    CHECK_EQ_INT(o.tensors.count, 1);
    CHECK_OK(&o.ctx, o.source.stat(&o.ctx, o.source.opaque, "model.safetensors", &found, &size));
    CHECK(!found);
    o.fake.files[0].size--;
    CHECK_EQ_INT(o.source.stat(&o.ctx, o.source.opaque, "2_Dense/model.safetensors", &found, &size),
                 LM_IO_ERROR);
    close_archive(&o);
    CHECK_OK(&o.ctx, open_archive(&o, "pytorch_model.bin", "", entries, 2));
    fake_add(&o.fake, "model.safetensors", "x");
    o.source = lm_pytorch_source(&o.files, &o.arena, &o.below);
    CHECK_EQ_INT(lm_tensors_open(&o.ctx, &o.arena, &o.source, "", &o.tensors), LM_BAD_MODEL);
    CHECK_STR(o.ctx.error.file, "model.safetensors");
    o.fake.files[1].name = "model.safetensors.index.json";
    o.source = lm_pytorch_source(&o.files, &o.arena, &o.below);
    CHECK_EQ_INT(lm_tensors_open(&o.ctx, &o.arena, &o.source, "", &o.tensors), LM_BAD_JSON);
    close_archive(&o);
}

static void
test_archives(void)
{
    const entry sound[] = {{"m/data.pkl", FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1},
                           {"m/byteorder", "big", 3},
                           {"m/data/0", six, sizeof six},
                           {"m/data/0", six, sizeof six}};
    const entry unnamed = {"m/\xff", six, sizeof six};
    opened o;

    CHECK_EQ_INT(open_archive(&o, "pytorch_model.bin", "", sound, 3), LM_UNSUPPORTED);
    CHECK_STR(o.ctx.error.allowed, "little");
    close_archive(&o);
    CHECK_EQ_INT(open_archive(&o, "pytorch_model.bin", "", sound + 2, 1), LM_BAD_MODEL);
    CHECK(strstr(o.ctx.error.message, "data.pkl") != NULL);
    close_archive(&o);
    CHECK_EQ_INT(open_archive(&o, "pytorch_model.bin", "", sound + 2, 2), LM_BAD_MODEL);
    CHECK(strstr(o.ctx.error.message, "two entries") != NULL);
    close_archive(&o);
    CHECK_EQ_INT(open_archive(&o, "pytorch_model.bin", "", &unnamed, 1), LM_BAD_MODEL);
    CHECK(strstr(o.ctx.error.message, "UTF-8") != NULL);
    close_archive(&o);
}

/* Cut anywhere, an archive is refused; with any byte changed it is read or refused. */
static void
test_damage(void)
{
    opened o;

    CHECK_OK(&o.ctx, open_pickle(&o, FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1));
    for (size_t size = 0; size < o.archive.size; size++) {
        lm_status status;

        o.fake.files[0].size = size;
        o.source = lm_pytorch_source(&o.files, &o.arena, &o.below);
        status = lm_tensors_open(&o.ctx, &o.arena, &o.source, "", &o.tensors);
        CHECK_EQ_INT(status, LM_BAD_MODEL);
    }
    o.fake.files[0].size = o.archive.size;
    for (size_t i = 0; i < 8 * o.archive.size; i++) {
        lm_status status;

        o.archive.data[i / 8] ^= (char)(1 << i % 8);
        o.source = lm_pytorch_source(&o.files, &o.arena, &o.below);
        status = lm_tensors_open(&o.ctx, &o.arena, &o.source, "", &o.tensors);
        CHECK(status == LM_OK || status == LM_BAD_MODEL || status == LM_UNSUPPORTED ||
              status == LM_TOO_LARGE);
        o.archive.data[i / 8] ^= (char)(1 << i % 8);
    }
    close_archive(&o);
}

/* `bytes` many times between a head and a tail: the limits hold, and no time is lost. */
static lm_status
open_repeated(const char *head, const char *bytes, size_t times, const char *tail)
{
    lm_context ctx;
    lm_buffer pickle;
    lm_status status;
    opened o;

    lm_context_init(&ctx);
    lm_buffer_init(&pickle, &ctx);
    (void)lm_buffer_append_string(&pickle, head);
    for (size_t i = 0; i < times; i++)
        (void)lm_buffer_append_string(&pickle, bytes);
    (void)lm_buffer_append_string(&pickle, tail);
    status = open_pickle(&o, pickle.data, pickle.size);
    close_archive(&o);
    lm_buffer_free(&pickle);
    return status;
}

static void
test_bombs(void)
{
    /* Marks, tuples in tuples, and a tuple of two of the last one, each remembered. */
    CHECK_EQ_INT(open_repeated("\x80\2", "(", 1000000, "."), LM_TOO_LARGE);
    CHECK_EQ_INT(open_repeated("\x80\2)", "\x85", 1000000, "."), LM_UNSUPPORTED);
    CHECK_EQ_INT(open_repeated("\x80\2)", "q\1h\1\x86", 1, "."), LM_BAD_MODEL);
    CHECK_EQ_INT(open_repeated("\x80\2)r\1\1\1\1", "h\1h\1\x86q\1", 200000, "."), LM_BAD_MODEL);
    CHECK_EQ_INT(open_repeated("\x80\2Nq", "", 0, ""), LM_BAD_MODEL);
    CHECK_EQ_INT(open_repeated("\x80\2)", "2", 10, "."), LM_UNSUPPORTED);
}

/* Tied weights share a storage; one that makes a large file of a small one is refused. */
static void
test_sharing(void)
{
    static const char first[] =
        "\x80\2}" NAME REBUILD "(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT(
            "\1", "0") "NM\0\x10tQK\0M\0\x10\x85K\1\x85" NO_HOOKS "q\0s";
    static const float values[4096];

    for (size_t times = 6; times <= 12; times += 6) {
        lm_context ctx;
        lm_buffer pickle;
        opened o;

        lm_context_init(&ctx);
        lm_buffer_init(&pickle, &ctx);
        (void)lm_buffer_append(&pickle, first, sizeof first - 1);
        for (size_t i = 0; i < times; i++) {
            (void)lm_buffer_append(&pickle, "X\1\0\0\0", 5);
            put(&pickle, 'A' + i, 1);
            (void)lm_buffer_append(&pickle, "h\0s", 3);
        }
        put(&pickle, '.', 1);
        {
            const entry entries[] = {{"m/data.pkl", pickle.data, pickle.size},
                                     {"m/data/0", values, sizeof values}};

            CHECK_EQ_INT(open_archive(&o, "pytorch_model.bin", "", entries, 2),
                         times == 6 ? LM_OK : LM_TOO_LARGE);
        }
        close_archive(&o);
        lm_buffer_free(&pickle);
    }
}

/* A dict of one item more than may be. */
static void
test_many_items(void)
{
    lm_context ctx;
    lm_buffer pickle;
    opened o;

    lm_context_init(&ctx);
    lm_buffer_init(&pickle, &ctx);
    (void)lm_buffer_append(&pickle, "\x80\2}" NAME "q\0Ns", 13);
    for (size_t i = 0; i < 100000; i++)
        (void)lm_buffer_append(&pickle, "h\0Ns", 4);
    put(&pickle, '.', 1);
    CHECK_EQ_INT(open_pickle(&o, pickle.data, pickle.size), LM_TOO_LARGE);
    CHECK(strstr(o.ctx.error.message, "too many tensors") != NULL);
    close_archive(&o);
    lm_buffer_free(&pickle);
}

/* What is no archive at all. */
static void
test_other_kinds(void)
{
    static const struct {
        const char *bytes, *said;
        lm_status wanted;
    } kinds[] = {
        {"\x80\2}.", "old form", LM_UNSUPPORTED},
        {"\x80", "not a zip archive", LM_BAD_MODEL},
        {"<!DOCTYPE html>", "not of the kind", LM_BAD_MODEL},
        {"PK", "not a zip archive", LM_BAD_MODEL},
        {"anything else", "not a zip archive", LM_BAD_MODEL},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        opened o;

        CHECK_OK(&o.ctx, open_pickle(&o, FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1));
        o.fake.files[0].data = kinds[i].bytes;
        o.fake.files[0].size = strlen(kinds[i].bytes);
        o.source = lm_pytorch_source(&o.files, &o.arena, &o.below);
        CHECK_EQ_INT(lm_tensors_open(&o.ctx, &o.arena, &o.source, "", &o.tensors), kinds[i].wanted);
        CHECK(strstr(o.ctx.error.message, kinds[i].said) != NULL);
        close_archive(&o);
    }
}

/* Folders of long names: data.pkl is found as a name, and not as an entry that can be located. */
static void
test_long_folders(void)
{
    static const size_t lengths[] = {600, 508};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char name[700];
        const entry one = {name, FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1};
        opened o;

        memset(name, 'm', lengths[i]);
        strcpy(name + lengths[i], "/data.pkl");
        CHECK_EQ_INT(open_archive(&o, "pytorch_model.bin", "", &one, 1), LM_BAD_MODEL);
        CHECK(strstr(o.ctx.error.message, "has no data.pkl") != NULL);
        close_archive(&o);
    }
}

static void
test_large_order(void)
{
    const entry entries[] = {{"m/data.pkl", FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1},
                             {"m/byteorder", "little little little", 20},
                             {"m/data/0", six, sizeof six}};
    opened o;

    CHECK_EQ_INT(open_archive(&o, "pytorch_model.bin", "", entries, 3), LM_TOO_LARGE);
    CHECK_STR(o.ctx.error.key, "m/byteorder");
    close_archive(&o);
}

/* Three tensors in a file; and the file goes, fails, or is asked for more than it has. */
static void
test_reading(void)
{
    static const char three[] =
        FIRST SOUND "s" TEXT("\1", "x") SOUND "s" TEXT("\1", "y") SOUND "s.";
    const lm_tensor *t = NULL;
    float values[6];
    bool found;
    uint64_t size;
    opened o;

    CHECK_OK(&o.ctx, open_pickle(&o, three, sizeof three - 1));
    for (char name[2] = "w"; name[0] <= 'y'; name[0]++) {
        t = lm_tensors_find(&o.tensors, name);
        CHECK(t != NULL);
        CHECK_OK(&o.ctx, o.source.read(&o.ctx, o.source.opaque, t->file, t->offset, values, 24));
        CHECK(memcmp(values, six, sizeof six) == 0);
    }
    CHECK_OK(&o.ctx, o.source.stat(&o.ctx, o.source.opaque, t->file, &found, &size));
    CHECK_EQ_INT(o.source.read(&o.ctx, o.source.opaque, t->file, size + 1, values, 0),
                 LM_BAD_MODEL);
    o.fake.fail_at = o.fake.calls + 1;
    CHECK_EQ_INT(o.source.read(&o.ctx, o.source.opaque, t->file, t->offset, values, 24),
                 LM_IO_ERROR);
    o.fake.files[0].name = "";
    CHECK_EQ_INT(o.source.stat(&o.ctx, o.source.opaque, t->file, &found, &size), LM_IO_ERROR);
    close_archive(&o);
}

/* --- zip archives ----------------------------------------------------------------------------- */

#define A32 0xffffffffu
#define U64(low) low "\0\0\0\0\0\0\0"

/* One entry "a" of 3 bytes, as its directory says it. */
typedef struct zip_case {
    uint32_t size, packed, header;
    const char *extra;
    size_t length;
    lm_status wanted;
} zip_case;

#define ZIP(size, packed, header, extra, wanted)               \
    {                                                          \
        size, packed, header, extra, sizeof(extra) - 1, wanted \
    }

static const zip_case zips[] = {
    ZIP(3, 3, 0, "", LM_OK),
    ZIP(3, 3, 0, "\x09\0\2\0xy", LM_OK),
    ZIP(3, 3, 0, "\x09\0\3\0xy", LM_BAD_MODEL),
    ZIP(A32, 3, 0, "", LM_BAD_MODEL),
    ZIP(3, A32, 0, "", LM_BAD_MODEL),
    ZIP(3, 3, A32, "", LM_BAD_MODEL),
    ZIP(A32, A32, A32, "\1\0\x18\0" U64("\3") U64("\3") U64("\0"), LM_OK),
    ZIP(3, 3, A32, "\1\0\x08\0" U64("\0"), LM_OK),
    ZIP(A32, A32, A32, "\1\0\0\0", LM_BAD_MODEL),
    ZIP(A32, A32, A32, "\1\0\x08\0" U64("\3"), LM_BAD_MODEL),
    ZIP(A32, A32, A32, "\1\0\x10\0" U64("\3") U64("\3"), LM_BAD_MODEL),
    /* What stands behind the field is not of it. */
    ZIP(A32, A32, 0, "\1\0\x08\0" U64("\3") U64("\3"), LM_BAD_MODEL),
    ZIP(A32, A32, A32, "\1\0\x10\0" U64("\3") U64("\3") U64("\0"), LM_BAD_MODEL),
};

/* `locator`: where it says that the end record of zip64 is, seen from that record; `magic`: the
 * record's. */
typedef struct end_case {
    int64_t locator;
    uint32_t magic;
    lm_status wanted;
} end_case;

static const end_case ends[] = {
    {0, 0x06064b50, LM_OK},
    {0, 0x06064b51, LM_BAD_MODEL},
    {1, 0x06064b50, LM_BAD_MODEL},
    {57, 0x06064b50, LM_BAD_MODEL},
};

static void
put_zip(lm_buffer *out, const zip_case *c, const end_case *e)
{
    const entry a = {"a", "xyz", 3};
    size_t start, end;

    put_local(out, &a);
    start = out->size;
    put(out, 0x02014b50, 4);
    put(out, 0, 16);
    put(out, c->packed, 4);
    put(out, c->size, 4);
    put(out, 1, 2);
    put(out, c->length, 2);
    put(out, 0, 10);
    put(out, c->header, 4);
    put(out, 'a', 1);
    (void)lm_buffer_append(out, c->extra, c->length);
    end = out->size;
    if (e) {
        put(out, e->magic, 4);
        put(out, 0, 28);
        put(out, 1, 8);
        put(out, end - start, 8);
        put(out, start, 8);
        put(out, 0x07064b50, 4);
        put(out, 0, 4);
        put(out, end + (uint64_t)e->locator, 8);
        put(out, 0, 4);
    }
    put(out, 0x06054b50, 4);
    put(out, 0, 4);
    put(out, e ? 0xffff : 1, 2);
    put(out, e ? 0xffff : 1, 2);
    put(out, e ? A32 : end - start, 4);
    put(out, e ? A32 : start, 4);
    put(out, 0, 2);
}

/* Opens it and finds "a"; `fail_at`: the call of the source that fails. */
static lm_status
open_zip(const zip_case *c, const end_case *e, int fail_at)
{
    fake_source fake = {.fail_at = fail_at};
    lm_source source = fake_open(&fake);
    uint64_t offset = 0;
    lm_buffer bytes;
    lm_context ctx;
    lm_arena arena;
    lm_status status;
    lm_zip zip;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&bytes, &ctx);
    put_zip(&bytes, c, e);
    fake_add_bytes(&fake, "z", bytes.data, bytes.size);
    status = lm_zip_open(&ctx, &arena, &source, "z", &zip);
    if (status == LM_OK) {
        const lm_zip_entry *a = lm_zip_find(&zip, "a", 1);

        CHECK(a != NULL && a->size == 3);
        status = lm_zip_locate(&zip, a, &offset);
        CHECK(status != LM_OK || offset == 31);
    }
    lm_buffer_free(&bytes);
    lm_arena_free(&arena);
    return status;
}

static void
test_zips(void)
{
    lm_status status = LM_IO_ERROR;

    for (size_t i = 0; i < sizeof zips / sizeof zips[0]; i++)
        CHECK_EQ_INT(open_zip(&zips[i], NULL, 0), zips[i].wanted);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        CHECK_EQ_INT(open_zip(&zips[0], &ends[i], 0), ends[i].wanted);
    for (int n = 1; status == LM_IO_ERROR; n++)
        status = open_zip(&zips[0], &ends[0], n);
    CHECK_EQ_INT(status, LM_OK);
}

/* An archive of nothing, none at all, a directory of 65 MB, entries that cannot be where they are
 * said to be. */
static void
test_zip_limits(void)
{
    static const lm_zip_entry wrong[] = {{"a", 600, 0, 0}, {"a", 1, 1, 0}, {"a", 1, 0, 0}};
    const size_t large = (size_t)65 << 20;
    char *bytes = calloc(large + 22, 1);
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    uint64_t offset;
    lm_context ctx;
    lm_arena arena;
    lm_zip zip;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    memcpy(bytes + large, "PK\5\6", 4);
    fake_add_bytes(&fake, "z", bytes + large, 22);
    CHECK_OK(&ctx, lm_zip_open(&ctx, &arena, &source, "z", &zip));
    CHECK(lm_zip_find(&zip, "a", 1) == NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_EQ_INT(lm_zip_locate(&zip, &wrong[i], &offset), LM_BAD_MODEL);
    CHECK_EQ_INT(lm_zip_open(&ctx, &arena, &source, "absent", &zip), LM_BAD_MODEL);
    for (int i = 0; i < 4; i++)
        bytes[large + 12 + (size_t)i] = (char)(large >> 8 * i);
    fake.files[0].data = bytes;
    fake.files[0].size = large + 22;
    CHECK_EQ_INT(lm_zip_open(&ctx, &arena, &source, "z", &zip), LM_TOO_LARGE);
    lm_arena_free(&arena);
    free(bytes);
}

/* --- indexes and names ------------------------------------------------------------------------ */

#define INDEX "model.safetensors.index.json"
#define MAP(value) "{\"weight_map\":{\"a\":" value "}}"
#define TEN "xxxxxxxxxx"
#define FIFTY TEN TEN TEN TEN TEN

static void
test_indexes(void)
{
    static const struct {
        const char *text;
        lm_status wanted;
    } indexes[] = {
        {MAP("\"pytorch_model-1.bin\",\"b\":\"pytorch_model-2.bin\""), LM_OK},
        {MAP("1"), LM_DENIED},
        {MAP("\"pytorch_model-\\u0000.bin\""), LM_DENIED},
        {MAP("\"pytorch_model-/pytorch_model-.bin\""), LM_DENIED},
        {MAP("\"model-1.bin\""), LM_DENIED},
        {MAP("\"pytorch_model-1.txt\""), LM_DENIED},
        {MAP("\"pytorch_model-" FIFTY FIFTY FIFTY FIFTY FIFTY ".bin\""), LM_DENIED},
        {"{\"weight_map\":{}}", LM_BAD_MODEL},
        {"{\"weight_map\":[]}", LM_BAD_MODEL},
        {"{}", LM_BAD_MODEL},
        {"{", LM_BAD_JSON},
        {"version https://git-lfs.github.com/spec/v1", LM_BAD_JSON},
    };

    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
        bool found = false;
        uint64_t size = 0;
        opened o;

        CHECK_OK(&o.ctx, open_pickle(&o, FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1));
        fake_add(&o.fake, "pytorch_model.bin.index.json", indexes[i].text);
        CHECK_EQ_INT(o.source.stat(&o.ctx, o.source.opaque, INDEX, &found, &size),
                     indexes[i].wanted);
        if (indexes[i].wanted == LM_OK)
            CHECK(found && size > 50);
        else
            CHECK_STR(o.ctx.error.file, "pytorch_model.bin.index.json");
        close_archive(&o);
    }
}

/* Names as long as they may be and longer, and what only looks like a shard. */
static void
test_odd_names(void)
{
    static const char *const shown[] = {
        "pytorch_model-1.safetensors",
        FIFTY FIFTY FIFTY FIFTY TEN TEN TEN "/model.safetensors",
    };
    static const char *const hidden[] = {
        "pytorch_model-2.safetensors",
        "pytorch_model-1.txt",
        FIFTY FIFTY FIFTY FIFTY FIFTY "/model.safetensors",
    };
    bool found;
    uint64_t size;
    opened o;

    CHECK_OK(&o.ctx, open_pickle(&o, FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1));
    fake_add_bytes(&o.fake, "pytorch_model-1.bin", o.archive.data, o.archive.size);
    fake_add_bytes(&o.fake, FIFTY FIFTY FIFTY FIFTY TEN TEN TEN "/pytorch_model.bin",
                   o.archive.data, o.archive.size);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        CHECK_OK(&o.ctx, o.source.stat(&o.ctx, o.source.opaque, shown[i], &found, &size));
        CHECK(found);
    }
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        CHECK_OK(&o.ctx, o.source.stat(&o.ctx, o.source.opaque, hidden[i], &found, &size));
        CHECK(!found);
    }
    close_archive(&o);
}

/* --- faults ----------------------------------------------------------------------------------- */

/* What is opened under faults: `file` as it stands there; `room` is what the arena has left. */
typedef struct trial {
    const char *file, *bytes;
    size_t size, room;
} trial;

/* The list of tensors; of an index, whose shards are not there, the index alone. */
static lm_status
try_open(lm_context *ctx, lm_arena *arena, const lm_source *source, const trial *t)
{
    lm_tensors tensors;
    uint64_t size;
    bool found;

    if (strcmp(t->file, "pytorch_model.bin") == 0)
        return lm_tensors_open(ctx, arena, source, "", &tensors);
    return source->stat(ctx, source->opaque, INDEX, &found, &size);
}

/* Every allocation, every poll and every call of the source fails in turn. */
static bool
run_once(const trial *t, fake_source fake, fake_memory faults)
{
    lm_source below = fake_open(&fake), source;
    fake_memory memory = {0};
    lm_status status, wanted = LM_IO_ERROR;
    lm_pytorch_files files;
    lm_arena arena;
    lm_context ctx;
    bool reached;

    fake_add_bytes(&fake, t->file, t->bytes, t->size);
    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    CHECK(t->room == 0 || fake_fill_arena(&arena, t->room));
    memory.calls = memory.polls = 0;
    memory.fail_at = faults.fail_at;
    memory.stop_at = faults.stop_at;
    source = lm_pytorch_source(&files, &arena, &below);
    status = try_open(&ctx, &arena, &source, t);
    reached = fake.fail_at > 0 && fake.calls >= fake.fail_at;
    if (memory.fail_at > 0)
        reached = memory.calls >= memory.fail_at, wanted = LM_NO_MEMORY;
    if (memory.stop_at > 0)
        reached = memory.polls >= memory.stop_at, wanted = LM_CANCELLED;
    CHECK_EQ_INT(status, reached ? wanted : LM_OK);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
    return reached;
}

/* Returns how many faults there were in all. */
static int
run_faults(const trial *t)
{
    int calls = 1, blocks = 1, polls = 1;

    while (run_once(t, (fake_source){.fail_at = calls}, (fake_memory){0}))
        calls++;
    while (run_once(t, (fake_source){0}, (fake_memory){.fail_at = blocks}))
        blocks++;
    while (run_once(t, (fake_source){0}, (fake_memory){.stop_at = polls}))
        polls++;
    return calls + blocks + polls;
}

/* Wherever the first blocks of the arenas end: a long name in the archive moves that of the arena
 * within. */
static void
test_faults(void)
{
    static const char remembers[] = "\x80\2}q\0" NAME SOUND LAST;
    static char pad[8400];
    opened o;
    trial t;

    CHECK_OK(&o.ctx, open_pickle(&o, remembers, sizeof remembers - 1));
    t = (trial){"pytorch_model.bin", o.archive.data, o.archive.size, 0};
    CHECK(run_faults(&t) > 20);
    for (t.room = 16; t.room < 600; t.room += 16)
        CHECK(run_faults(&t) > 20);
    close_archive(&o);
    for (size_t length = 8; length < sizeof pad; length += 8) {
        const entry entries[] = {{"m/data.pkl", FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1},
                                 {"m/data/0", six, sizeof six},
                                 {pad, "", 0}};

        memset(pad, 'p', length);
        CHECK_OK(&o.ctx, open_archive(&o, "pytorch_model.bin", "", entries, 3));
        t = (trial){"pytorch_model.bin", o.archive.data, o.archive.size, 0};
        for (int n = 1; run_once(&t, (fake_source){0}, (fake_memory){.fail_at = n});)
            n++;
        close_archive(&o);
    }
}

/* Keys of all lengths, so that each append to the index is once the one that has no room. */
static void
test_index_faults(void)
{
    for (int length = 1; length < 260; length++) {
        char text[1000];
        trial t = {"pytorch_model.bin.index.json", text, 0, 0};

        t.size = (size_t)snprintf(text, sizeof text,
                                  "{\"weight_map\":{\"%0*d\":\"pytorch_model-1.bin\",\"b\":"
                                  "\"pytorch_model-2.bin\"}}",
                                  length, 0);
        CHECK(run_faults(&t) > 6);
    }
}

/* The caller's memory ends, and not that of the arena's context. */
static void
test_two_contexts(void)
{
    fake_memory memory = {.fail_at = 1, .fail_on = true};
    lm_context other;
    bool found;
    uint64_t size;
    opened o;

    CHECK_OK(&o.ctx, open_pickle(&o, FIRST SOUND LAST, sizeof(FIRST SOUND LAST) - 1));
    fake_context(&other, &memory);
    o.source = lm_pytorch_source(&o.files, &o.arena, &o.below);
    CHECK_EQ_INT(o.source.stat(&other, o.source.opaque, "model.safetensors", &found, &size),
                 LM_NO_MEMORY);
    CHECK_EQ_INT(other.error.status, LM_NO_MEMORY);
    close_archive(&o);
}

static const unit_case cases[] = {
    {"pytorch_pickles", test_pickles},
    {"pytorch_values", test_values},
    {"pytorch_names", test_names},
    {"pytorch_archives", test_archives},
    {"pytorch_damage", test_damage},
    {"pytorch_bombs", test_bombs},
    {"pytorch_sharing", test_sharing},
    {"pytorch_faults", test_faults},
    {"pytorch_many_items", test_many_items},
    {"pytorch_other_kinds", test_other_kinds},
    {"pytorch_long_folders", test_long_folders},
    {"pytorch_large_order", test_large_order},
    {"pytorch_reading", test_reading},
    {"pytorch_zips", test_zips},
    {"pytorch_zip_limits", test_zip_limits},
    {"pytorch_indexes", test_indexes},
    {"pytorch_odd_names", test_odd_names},
    {"pytorch_index_faults", test_index_faults},
    {"pytorch_two_contexts", test_two_contexts},
};

UNIT_MAIN(cases)
