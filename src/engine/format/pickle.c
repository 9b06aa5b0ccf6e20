/*
 * pickle.c - reads the pickle of a torch.save of a dict of tensors, and runs nothing.
 *
 * A pickle is a program for a machine with a stack and a memo. This one has the opcodes that
 * protocol 2 needs for dicts, tuples, texts, numbers and tensors; what is "called" is a row of
 * `globals`, whose arguments are checked and written down. Laws: values that are used twice are
 * shared and never copied or followed into depth, so time and memory are linear in the pickle's
 * bytes, whatever the memo holds; no function here calls itself; any other opcode is LM_BAD_MODEL
 * at its offset, any other global LM_UNSUPPORTED by its name.
 */
#include "format/pickle.h"

#include <string.h>

#include "base/utf8.h"

#define STACK_LIMIT ((size_t)65536) /* Python writes a dict in pieces of 1,000 */
#define MEMO_LIMIT ((size_t)4000000)
#define ITEM_LIMIT ((size_t)100000)

typedef enum kind { MARK, NONE, BOOL, INTEGER, TEXT, TUPLE, DICT, GLOBAL, STORAGE, TENSOR } kind;

typedef struct value value;

typedef struct dict {
    lm_pickle_item *first, *last; /* without what is no tensor */
    size_t count;                 /* of all */
    lm_pickle_text other;         /* the key of what is no tensor; bytes NULL: none */
} dict;

struct value {
    kind kind;
    union {
        int64_t integer;
        lm_pickle_text text;
        struct {
            const value *items;
            size_t count;
        } tuple;
        dict *dict;
        const struct global *global;
        const lm_pickle_storage *storage;
        const lm_pickle_tensor *tensor;
    } as;
};

typedef struct machine {
    lm_context *ctx;
    lm_arena *arena;
    const lm_pickle *pickle;
    size_t op, at; /* offset of the opcode, and of what is read next */
    value *stack, *memo;
    size_t depth, stack_room, remembered, memo_room;
    bool stopped;
} machine;

typedef struct global {
    const char *module, *name;
    /* What a call makes; NULL: it is a class of storages. */
    lm_status (*call)(machine *m, const value *arguments, value *result);
    lm_dtype dtype;
} global;

/* --- errors ----------------------------------------------------------------------------------- */

static lm_status
bad_pickle(const machine *m, const char *message)
{
    lm_raise(m->ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(m->ctx, m->pickle->file);
    return lm_detail_offset(m->ctx, m->pickle->offset + m->op);
}

static lm_status
not_supported(const machine *m, const char *message)
{
    lm_raise(m->ctx, LM_UNSUPPORTED, "%s", message);
    lm_detail_file(m->ctx, m->pickle->file);
    lm_detail_offset(m->ctx, m->pickle->offset + m->op);
    return lm_detail_hint(m->ctx, LM_PICKLE_HINT);
}

static lm_status
too_large(const machine *m, const char *message)
{
    lm_raise(m->ctx, LM_TOO_LARGE, "%s", message);
    lm_detail_file(m->ctx, m->pickle->file);
    return lm_detail_offset(m->ctx, m->pickle->offset + m->op);
}

/* --- bytes, stack, memo ----------------------------------------------------------------------- */

static lm_status
take(machine *m, size_t length, const char **bytes)
{
    if (length > m->pickle->size - m->at)
        return bad_pickle(m, "the pickle of a file of weights is truncated");
    *bytes = m->pickle->bytes + m->at;
    m->at += length;
    return LM_OK;
}

/* A number of `bytes` bytes, at most 8, the lowest first. */
static lm_status
take_number(machine *m, size_t bytes, uint64_t *number)
{
    const char *from = NULL;

    LM_TRY(take(m, bytes, &from));
    *number = 0;
    for (size_t i = bytes; i > 0; i--)
        *number = *number << 8 | (unsigned char)from[i - 1];
    return LM_OK;
}

/* Up to a newline, which is taken and not part of it. */
static lm_status
take_line(machine *m, lm_pickle_text *line)
{
    const char *start = m->pickle->bytes + m->at;
    const char *end = memchr(start, '\n', m->pickle->size - m->at);

    if (!end)
        return bad_pickle(m, "the pickle of a file of weights is truncated");
    *line = (lm_pickle_text){start, (size_t)(end - start)};
    m->at += line->length + 1;
    return LM_OK;
}

/* Room for one value more in an array of the arena, which doubles. */
static lm_status
grow(machine *m, value **array, size_t count, size_t *room)
{
    size_t wanted = *room ? 2 * *room : 256;
    value *grown;

    if (count < *room)
        return LM_OK;
    grown = lm_arena_array(m->arena, wanted, sizeof *grown);
    if (!grown)
        return LM_NO_MEMORY;
    if (count > 0)
        memcpy(grown, *array, count * sizeof *grown);
    *array = grown;
    *room = wanted;
    return LM_OK;
}

static lm_status
push(machine *m, value pushed)
{
    if (m->depth == STACK_LIMIT)
        return too_large(m, "the pickle of a file of weights holds too many values at once");
    LM_TRY(grow(m, &m->stack, m->depth, &m->stack_room));
    m->stack[m->depth++] = pushed;
    return LM_OK;
}

/* A mark is no value. */
static lm_status
pop(machine *m, value *popped)
{
    if (m->depth == 0 || m->stack[m->depth - 1].kind == MARK)
        return bad_pickle(m, "the pickle of a file of weights takes a value that is not there");
    *popped = m->stack[--m->depth];
    return LM_OK;
}

/* The values above the last mark, which goes; they stay where they are until the next push. */
static lm_status
pop_to_mark(machine *m, const value **items, size_t *count)
{
    size_t at = m->depth;

    while (at > 0 && m->stack[at - 1].kind != MARK)
        at--;
    if (at == 0)
        return bad_pickle(m, "the pickle of a file of weights lacks a mark");
    *items = m->stack + at;
    *count = m->depth - at;
    m->depth = at - 1;
    return LM_OK;
}

/* --- what can be called ----------------------------------------------------------------------- */

static lm_status
bad_arguments(const machine *m)
{
    return bad_pickle(m, "the pickle of a file of weights describes a tensor incorrectly");
}

static lm_status
make_dict(machine *m, const value *arguments, value *result)
{
    if (arguments->as.tuple.count != 0)
        return not_supported(m, "a dict of a file of weights is not written as torch.save does");
    *result = (value){DICT, {.dict = lm_arena_zero(m->arena, sizeof(dict))}};
    return result->as.dict ? LM_OK : LM_NO_MEMORY;
}

static bool
is_count(const value *v)
{
    return v->kind == INTEGER && v->as.integer >= 0;
}

/* Sizes, and that strides are those of values that follow each other. */
static lm_status
read_shape(const machine *m, const value *sizes, const value *strides, lm_pickle_tensor *tensor)
{
    uint64_t wanted = 1;

    if (sizes->kind != TUPLE || strides->kind != TUPLE ||
        sizes->as.tuple.count != strides->as.tuple.count || sizes->as.tuple.count > LM_MAX_RANK)
        return bad_arguments(m);
    tensor->rank = (int)sizes->as.tuple.count;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        const value *size = &sizes->as.tuple.items[i], *stride = &strides->as.tuple.items[i];

        if (!is_count(size) || !is_count(stride) || size->as.integer == 0)
            return bad_arguments(m);
        tensor->shape[i] = (uint64_t)size->as.integer;
        if (tensor->shape[i] > 1 && (uint64_t)stride->as.integer != wanted)
            return not_supported(m, "a tensor whose values do not follow each other (a view, a "
                                    "transposed matrix) is not supported");
        if (__builtin_mul_overflow(wanted, tensor->shape[i], &wanted))
            return bad_arguments(m);
    }
    tensor->count = wanted;
    return LM_OK;
}

/* (storage, offset, size, stride, requires_grad, backward_hooks), and metadata that is None. */
static lm_status
make_tensor(machine *m, const value *arguments, value *result)
{
    const value *a = arguments->as.tuple.items;
    size_t count = arguments->as.tuple.count;
    lm_pickle_tensor *tensor = lm_arena_zero(m->arena, sizeof *tensor);

    if (!tensor)
        return LM_NO_MEMORY;
    if (count < 6 || count > 7 || a[0].kind != STORAGE || !is_count(&a[1]) ||
        (count == 7 && a[6].kind != NONE))
        return bad_arguments(m);
    tensor->storage = a[0].as.storage;
    tensor->first = (uint64_t)a[1].as.integer;
    LM_TRY(read_shape(m, &a[2], &a[3], tensor));
    if (tensor->first > tensor->storage->count ||
        tensor->count > tensor->storage->count - tensor->first)
        return bad_pickle(m, "a tensor of a file of weights reaches past the end of its storage");
    *result = (value){TENSOR, {.tensor = tensor}};
    return LM_OK;
}

/* (tensor, requires_grad, backward_hooks) is that tensor. */
static lm_status
make_parameter(machine *m, const value *arguments, value *result)
{
    if (arguments->as.tuple.count != 3 || arguments->as.tuple.items[0].kind != TENSOR)
        return bad_arguments(m);
    *result = arguments->as.tuple.items[0];
    return LM_OK;
}

static const global globals[] = {
    {"collections", "OrderedDict", make_dict, LM_F32},
    {"torch._utils", "_rebuild_tensor_v2", make_tensor, LM_F32},
    {"torch._utils", "_rebuild_parameter", make_parameter, LM_F32},
    {"torch", "FloatStorage", NULL, LM_F32},
    {"torch", "HalfStorage", NULL, LM_F16},
    {"torch", "BFloat16Storage", NULL, LM_BF16},
    {"torch", "DoubleStorage", NULL, LM_F64},
    {"torch", "CharStorage", NULL, LM_I8},
    {"torch", "ShortStorage", NULL, LM_I16},
    {"torch", "IntStorage", NULL, LM_I32},
    {"torch", "LongStorage", NULL, LM_I64},
    {"torch", "ByteStorage", NULL, LM_U8},
    {"torch", "BoolStorage", NULL, LM_BOOL},
};

/* --- opcodes ---------------------------------------------------------------------------------- */
/*
 * The low digits of `argument` are what makes one opcode of several: the bytes of a number, the
 * items of a tuple, the value of a boolean.
 */

static lm_status
on_proto(machine *m, int argument)
{
    uint64_t version;

    LM_TRY(take_number(m, 1, &version));
    if (version == 2)
        return LM_OK;
    not_supported(m, "the protocol of the pickle of a file of weights is not supported");
    lm_detail_found(m->ctx, "protocol %d", (int)version);
    return lm_detail_allowed(m->ctx, "protocol 2, as torch.save writes it");
}

static lm_status
on_stop(machine *m, int argument)
{
    m->stopped = true;
    return LM_OK;
}

static bool
is_text(lm_pickle_text text, const char *string)
{
    return text.length == strlen(string) && memcmp(text.bytes, string, text.length) == 0;
}

/* Bytes of a name for a message: as far as they fit and are UTF-8. */
static int
shown(lm_pickle_text name)
{
    return (int)lm_utf8_valid_prefix(name.bytes, name.length > 60 ? 60 : name.length);
}

static lm_status
refuse_global(const machine *m, lm_pickle_text module, lm_pickle_text name)
{
    not_supported(m, "the pickle of a file of weights imports what is never run here");
    lm_detail_found(m->ctx, "%.*s.%.*s", shown(module), module.bytes, shown(name), name.bytes);
    return lm_detail_allowed(m->ctx, "tensors and collections.OrderedDict");
}

static lm_status
on_global(machine *m, int argument)
{
    lm_pickle_text module, name;

    LM_TRY(take_line(m, &module));
    LM_TRY(take_line(m, &name));
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
        if (is_text(module, globals[i].module) && is_text(name, globals[i].name))
            return push(m, (value){GLOBAL, {.global = &globals[i]}});
    return refuse_global(m, module, name);
}

static lm_status
on_mark(machine *m, int argument)
{
    return push(m, (value){.kind = MARK});
}

static lm_status
on_none(machine *m, int argument)
{
    return push(m, (value){.kind = NONE});
}

static lm_status
on_bool(machine *m, int argument)
{
    return push(m, (value){BOOL, {.integer = argument}});
}

/* Four bytes have a sign, fewer have none. */
static lm_status
on_integer(machine *m, int argument)
{
    uint64_t number;

    LM_TRY(take_number(m, (size_t)argument, &number));
    return push(
        m,
        (value){INTEGER, {.integer = argument == 4 ? (int32_t)(uint32_t)number : (int64_t)number}});
}

/* As many bytes as the first says, with a sign. */
static lm_status
on_long(machine *m, int argument)
{
    uint64_t bytes, number, sign;

    LM_TRY(take_number(m, 1, &bytes));
    if (bytes > 8)
        return bad_pickle(m, "the pickle of a file of weights has a number beyond 64 bits");
    LM_TRY(take_number(m, (size_t)bytes, &number));
    sign = bytes > 0 && bytes < 8 ? (uint64_t)1 << (8 * bytes - 1) : 0;
    return push(m, (value){INTEGER, {.integer = (int64_t)number - 2 * (int64_t)(number & sign)}});
}

static lm_status
on_text(machine *m, int argument)
{
    lm_pickle_text text;
    uint64_t length;

    LM_TRY(take_number(m, 4, &length));
    LM_TRY(take(m, (size_t)length, &text.bytes));
    text.length = (size_t)length;
    if (lm_utf8_valid_prefix(text.bytes, text.length) != text.length)
        return bad_pickle(m, "the pickle of a file of weights has a text that is not UTF-8");
    return push(m, (value){TEXT, {.text = text}});
}

/* Items are copied off the stack. */
static lm_status
push_tuple(machine *m, const value *items, size_t count)
{
    value *kept = lm_arena_array(m->arena, count, sizeof *kept);

    if (!kept)
        return LM_NO_MEMORY;
    if (count > 0)
        memcpy(kept, items, count * sizeof *kept);
    return push(m, (value){TUPLE, {.tuple = {kept, count}}});
}

static lm_status
on_tuple(machine *m, int argument)
{
    const value *items;
    size_t count;

    LM_TRY(pop_to_mark(m, &items, &count));
    return push_tuple(m, items, count);
}

static lm_status
on_short_tuple(machine *m, int argument)
{
    value items[3];

    for (int i = argument; i > 0; i--)
        LM_TRY(pop(m, &items[i - 1]));
    return push_tuple(m, items, (size_t)argument);
}

static lm_status
on_empty_dict(machine *m, int argument)
{
    const value none = {TUPLE, {.tuple = {NULL, 0}}};
    value made;

    LM_TRY(make_dict(m, &none, &made));
    return push(m, made);
}

static lm_status
set_item(machine *m, dict *to, const value *key, const value *item)
{
    lm_pickle_item *made;

    if (key->kind != TEXT)
        return bad_pickle(m, "a dict of a file of weights has a key that is not a text");
    if (to->count++ == ITEM_LIMIT)
        return too_large(m, "a file of the model has too many tensors");
    if (item->kind != TENSOR) {
        to->other = key->as.text;
        return LM_OK;
    }
    made = lm_arena_zero(m->arena, sizeof *made);
    if (!made)
        return LM_NO_MEMORY;
    *made = (lm_pickle_item){key->as.text, item->as.tensor, NULL};
    *(to->last ? &to->last->next : &to->first) = made;
    to->last = made;
    return LM_OK;
}

/* Pairs go into the dict below them, which stays. */
static lm_status
set_items(machine *m, const value *items, size_t count)
{
    if (m->depth == 0 || m->stack[m->depth - 1].kind != DICT || count % 2 != 0)
        return bad_pickle(m, "the pickle of a file of weights sets items of what is no dict");
    for (size_t i = 0; i < count; i += 2)
        LM_TRY(set_item(m, m->stack[m->depth - 1].as.dict, &items[i], &items[i + 1]));
    return LM_OK;
}

static lm_status
on_set_items(machine *m, int argument)
{
    const value *items;
    size_t count;

    LM_TRY(pop_to_mark(m, &items, &count));
    return set_items(m, items, count);
}

static lm_status
on_set_item(machine *m, int argument)
{
    value pair[2];

    LM_TRY(pop(m, &pair[1]));
    LM_TRY(pop(m, &pair[0]));
    return set_items(m, pair, 2);
}

/* Attributes of a dict, as the versions of modules that state_dict() puts there: no tensors. */
static lm_status
on_build(machine *m, int argument)
{
    value state;

    LM_TRY(pop(m, &state));
    if (m->depth > 0 && m->stack[m->depth - 1].kind == DICT)
        return LM_OK;
    return not_supported(m, "the pickle of a file of weights builds an object that is not known");
}

/* The memo's numbers follow each other, as Python gives them, so that none makes it large. */
static lm_status
on_put(machine *m, int argument)
{
    uint64_t index;

    LM_TRY(take_number(m, (size_t)argument, &index));
    if (m->depth == 0 || m->stack[m->depth - 1].kind == MARK || index > m->remembered)
        return bad_pickle(m, "the pickle of a file of weights has a memo out of order");
    if (index == MEMO_LIMIT)
        return too_large(m, "the pickle of a file of weights remembers too many values");
    LM_TRY(grow(m, &m->memo, m->remembered, &m->memo_room));
    m->memo[index] = m->stack[m->depth - 1];
    m->remembered += index == m->remembered;
    return LM_OK;
}

static lm_status
on_get(machine *m, int argument)
{
    uint64_t index;

    LM_TRY(take_number(m, (size_t)argument, &index));
    if (index >= m->remembered)
        return bad_pickle(m, "the pickle of a file of weights has a memo out of order");
    return push(m, m->memo[index]);
}

/* ("storage", class, key, device, count of values) */
static lm_status
on_persistent_id(machine *m, int argument)
{
    lm_pickle_storage *storage = lm_arena_zero(m->arena, sizeof *storage);
    const value *items;
    value id;

    if (!storage)
        return LM_NO_MEMORY;
    LM_TRY(pop(m, &id));
    items = id.as.tuple.items;
    if (id.kind != TUPLE || id.as.tuple.count != 5 || items[0].kind != TEXT ||
        !is_text(items[0].as.text, "storage") || items[1].kind != GLOBAL ||
        items[1].as.global->call || items[2].kind != TEXT || !is_count(&items[4]))
        return bad_pickle(m, "the pickle of a file of weights describes a storage incorrectly");
    *storage = (lm_pickle_storage){items[2].as.text, items[1].as.global->dtype,
                                   (uint64_t)items[4].as.integer};
    return push(m, (value){STORAGE, {.storage = storage}});
}

static lm_status
on_reduce(machine *m, int argument)
{
    value arguments, called, result;

    LM_TRY(pop(m, &arguments));
    LM_TRY(pop(m, &called));
    if (called.kind != GLOBAL || !called.as.global->call || arguments.kind != TUPLE)
        return bad_pickle(m, "the pickle of a file of weights calls what is no function");
    LM_TRY(called.as.global->call(m, &arguments, &result));
    return push(m, result);
}

static const struct {
    unsigned char code;
    lm_status (*run)(machine *m, int argument);
    int argument;
} opcodes[] = {
    {0x80, on_proto, 0},       {'.', on_stop, 0},          {'c', on_global, 0},
    {'(', on_mark, 0},         {'N', on_none, 0},          {0x88, on_bool, 1},
    {0x89, on_bool, 0},        {'K', on_integer, 1},       {'M', on_integer, 2},
    {'J', on_integer, 4},      {0x8a, on_long, 0},         {'X', on_text, 0},
    {'t', on_tuple, 0},        {')', on_short_tuple, 0},   {0x85, on_short_tuple, 1},
    {0x86, on_short_tuple, 2}, {0x87, on_short_tuple, 3},  {'}', on_empty_dict, 0},
    {'s', on_set_item, 0},     {'u', on_set_items, 0},     {'b', on_build, 0},
    {'q', on_put, 1},          {'r', on_put, 4},           {'h', on_get, 1},
    {'j', on_get, 4},          {'Q', on_persistent_id, 0}, {'R', on_reduce, 0},
};

/* --- the whole -------------------------------------------------------------------------------- */

static lm_status
step(machine *m)
{
    uint64_t code;

    m->op = m->at;
    LM_TRY(take_number(m, 1, &code));
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++)
        if (opcodes[i].code == code)
            return opcodes[i].run(m, opcodes[i].argument);
    not_supported(m, "the pickle of a file of weights has an opcode that is not read here");
    return lm_detail_found(m->ctx, "opcode 0x%02x", (unsigned)code);
}

/* What the file holds must be one dict, and that of tensors alone. */
static lm_status
take_result(machine *m, lm_pickle *pickle)
{
    const dict *result;
    value top;

    LM_TRY(pop(m, &top));
    if (top.kind != DICT || m->depth > 0)
        return not_supported(m, "a file of weights does not hold a dict of tensors");
    result = top.as.dict;
    if (result->other.bytes) {
        not_supported(m, "a file of weights does not hold a dict of tensors");
        return lm_detail_key(m->ctx, "%.*s", shown(result->other), result->other.bytes);
    }
    pickle->first = result->first;
    pickle->count = result->count;
    return LM_OK;
}

lm_status
lm_pickle_read(lm_context *ctx, lm_arena *arena, lm_pickle *pickle)
{
    machine m = {.ctx = ctx, .arena = arena, .pickle = pickle};

    while (!m.stopped) {
        LM_TRY(lm_poll(ctx));
        LM_TRY(step(&m));
    }
    return take_result(&m, pickle);
}
