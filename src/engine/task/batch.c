/*
 * batch.c - packs windows of texts and runs the encoder over them; the contract is in batch.h.
 */
#include "task/batch.h"

#include <string.h>

#include "base/size.h"
#include "model/layers.h"

/* Tokens of a batch when the caller does not say. */
#define DEFAULT_BATCH_TOKENS 512

static lm_status join_prompt(lm_batcher *b, const lm_text *text, lm_text *joined);
static lm_status refuse_long(const lm_batcher *b);
static lm_status add_encoding(lm_batcher *b, size_t text);
static void put_ranges(const lm_batcher *b, size_t before, size_t first, size_t count,
                       size_t tokens);
static lm_status add_long_encoding(lm_batcher *b, size_t text);
static lm_status add_pair_window(lm_batcher *b, const lm_token_part parts[2],
                                 const lm_window *window);
static lm_status cut_pair(const lm_batcher *b, size_t counts[2], size_t room, bool *cut);
static lm_status add_pair_windows(lm_batcher *b, const size_t counts[2], size_t room, size_t pair);
static lm_status open_window(lm_batcher *b, size_t tokens);
static lm_status close_window(lm_batcher *b, size_t tokens, const lm_window *window);
static lm_status run_encoder(const lm_batcher *b, bool every_row, const float **hidden);
static lm_status run_layers(const lm_batcher *b, const float **hidden);
static void count_batch(const lm_batcher *b, bool computed);
static size_t fill_window(lm_batcher *b, size_t tokens);
static lm_status put_letters(lm_batcher *b, size_t first, size_t count);

/* The most that a single text's window holds. */
static int
window_tokens(const lm_batcher *b)
{
    const int most = b->model->info.max_tokens;

    return b->max_tokens > 0 && b->max_tokens < (size_t)most ? (int)b->max_tokens : most;
}

/*
 * Tokenizes a text, and its prompt before it, into windows of the batch. Special tokens come with
 * the tokens of a single window, and later around each of several.
 */
lm_status
lm_batch_add(lm_batcher *b, const lm_text *text, size_t index)
{
    lm_session *session = b->session;
    const lm_layers *layers = lm_model_layers(b->model);
    const bool spelled = layers && layers->net.characters;
    const lm_token_options options = {
        .add_special = b->on_long != LM_LONG_MEAN,
        .parse_special = true,
        .offsets = b->ranges || spelled,
        .max_tokens = b->on_long == LM_LONG_MEAN ? 0 : window_tokens(b),
    };
    lm_text joined;

    LM_TRY(join_prompt(b, text, &joined));
    b->spelled = spelled;
    b->text = joined;
    b->read = (lm_letter_place){0, 0};
    LM_TRY(lm_tokenize(b->ctx, lm_model_tokenizer(b->model), session->scratch, joined.bytes,
                       joined.length, &options, &session->encoding));
    if (b->on_long == LM_LONG_MEAN)
        return add_long_encoding(b, index);
    if (session->encoding.truncated && b->on_long == LM_LONG_ERROR)
        return refuse_long(b);
    return add_encoding(b, index);
}

/* The text with the prompt before it. */
static lm_status
join_prompt(lm_batcher *b, const lm_text *text, lm_text *joined)
{
    lm_buffer *buffer = &b->session->text;

    *joined = *text;
    if (b->prompt_length == 0)
        return LM_OK;
    buffer->size = 0;
    if (lm_buffer_append(buffer, b->prompt, b->prompt_length) != LM_OK ||
        lm_buffer_append(buffer, text->bytes, text->length) != LM_OK)
        return lm_raise(b->ctx, LM_NO_MEMORY, "out of memory");
    *joined = (lm_text){buffer->data, buffer->size};
    return LM_OK;
}

/* Says by how much only roughly: the tokenizer stops once the window is full. */
static lm_status
refuse_long(const lm_batcher *b)
{
    lm_raise(b->ctx, LM_TOO_LARGE, "a text is longer than the model's window");
    lm_detail_found(b->ctx, "more than %d tokens", window_tokens(b));
    lm_detail_allowed(b->ctx, "at most %d", window_tokens(b));
    return lm_detail_hint(b->ctx,
                          "Truncate long texts or average their windows (on_long), or split "
                          "them with lmtext.chunk.");
}

/* One window: the encoding as it is, special tokens included. */
static lm_status
add_encoding(lm_batcher *b, size_t text)
{
    const lm_encoding *encoding = &b->session->encoding;
    const lm_window window = {.text = text,
                              .excluded = b->excluded,
                              .first = true,
                              .last = true,
                              .truncated = encoding->truncated};

    LM_TRY(open_window(b, encoding->count > b->filled_tokens ? encoding->count : b->filled_tokens));
    memcpy(b->session->ids + b->tokens, encoding->ids, encoding->count * sizeof(int32_t));
    memcpy(b->session->types + b->tokens, encoding->type_ids, encoding->count * sizeof(int32_t));
    if (b->ranges)
        put_ranges(b, 0, 0, encoding->count, encoding->count);
    LM_TRY(put_letters(b, 0, encoding->count));
    return close_window(b, fill_window(b, encoding->count), &window);
}

/* The filler behind a window's tokens; returns how many there are then. */
static size_t
fill_window(lm_batcher *b, size_t tokens)
{
    lm_session *session = b->session;

    if (b->filled_tokens == 0)
        return tokens;
    session->keys[b->windows] = tokens;
    for (; tokens < b->filled_tokens; tokens++) {
        session->ids[b->tokens + tokens] = b->filler;
        session->types[b->tokens + tokens] = 0;
    }
    if (b->attended)
        session->keys[b->windows] = tokens;
    return tokens;
}

/*
 * The ranges of a window of `tokens` tokens, of which those from `before` on are `count` tokens of
 * the encoding, from `first` on; all others are special.
 */
static void
put_ranges(const lm_batcher *b, size_t before, size_t first, size_t count, size_t tokens)
{
    const lm_encoding *encoding = &b->session->encoding;
    lm_token_range *ranges = b->session->ranges + b->tokens;

    for (size_t i = 0; i < tokens; i++) {
        size_t at = first + i - before;
        bool special = i < before || i - before >= count || encoding->special[at];

        ranges[i] = special ? (lm_token_range){-1, -1, true}
                            : (lm_token_range){encoding->start[at], encoding->stop[at],
                                               b->words && encoding->begins[at]};
    }
}

/* The letters of tokens of the encoding, as the text has them: a net that reads them has no special
 * tokens. */
static lm_status
put_letters(lm_batcher *b, size_t first, size_t count)
{
    const lm_encoding *encoding = &b->session->encoding;

    if (b->tokens == 0) /* of a call that failed */
        lm_letters_clear(&b->session->letters);
    for (size_t i = first; b->spelled && i < first + count; i++)
        LM_TRY(lm_letters_add_range(&b->session->letters, b->text, &b->read, encoding->start[i],
                                    encoding->stop[i]));
    return LM_OK;
}

/* Windows without overlap over all tokens of a text; only the first can hold prompt tokens. */
static lm_status
add_long_encoding(lm_batcher *b, size_t text)
{
    lm_session *session = b->session;
    const lm_tokenizer *tokenizer = lm_model_tokenizer(b->model);
    size_t special = (size_t)lm_tokenizer_special_count(tokenizer, false);
    size_t room = (size_t)b->model->info.max_tokens - special;
    size_t total = session->encoding.count;

    for (size_t start = 0; start == 0 || start < total; start += room) {
        size_t count = total - start < room ? total - start : room;
        const lm_window window = {
            .text = text,
            .excluded = start == 0 ? b->excluded : 0,
            .weight = (double)count / (double)(total > 0 ? total : 1),
            .first = start == 0,
            .last = start + count == total,
            .truncated = total > room && start + count == total,
        };
        size_t tokens;

        LM_TRY(open_window(b, count + special));
        tokens = lm_tokenizer_surround(tokenizer, session->encoding.ids + start, count,
                                       session->ids + b->tokens, session->types + b->tokens);
        if (b->ranges)
            put_ranges(b, lm_tokenizer_special_before(tokenizer), start, count, tokens);
        LM_TRY(put_letters(b, start, count));
        LM_TRY(close_window(b, tokens, &window));
    }
    return LM_OK;
}

/* ---- Pairs ---- */

static lm_token_options
options_of_pair(const lm_batcher *b)
{
    return (lm_token_options){
        .add_special = true, .parse_special = true, .offsets = b->ranges, .words = b->words};
}

/* The tokens of both texts that a window has room for, beside the special ones. */
static lm_status
pair_room(const lm_batcher *b, size_t *room)
{
    const size_t special = (size_t)lm_tokenizer_special_count(lm_model_tokenizer(b->model), true);
    const size_t window = (size_t)b->model->info.max_tokens;

    *room = b->pair_tokens > 0 && b->pair_tokens < window ? b->pair_tokens : window;
    if (*room <= special) {
        lm_raise(b->ctx, LM_TOO_LARGE, "the model's window is too small for a pair of texts");
        lm_detail_found(b->ctx, "%zu tokens", *room);
        return lm_detail_allowed(b->ctx, "more than %zu", special);
    }
    *room -= special;
    return LM_OK;
}

lm_status
lm_batch_add_pair(lm_batcher *b, const lm_text pair[2], size_t index)
{
    lm_session *session = b->session;
    const lm_token_options options = options_of_pair(b);
    lm_window window = {.text = index, .first = true, .last = true};
    const lm_tokenizer *tokenizer = lm_model_tokenizer(b->model);
    size_t all[2], counts[2], room;
    lm_token_part parts[2];

    if (lm_model_layers(b->model) && lm_model_layers(b->model)->net.characters)
        return lm_raise(b->ctx, LM_UNSUPPORTED, "a net that reads characters takes no pairs");
    LM_TRY(pair_room(b, &room));
    LM_TRY(lm_tokenize_both(b->ctx, tokenizer, session->scratch, pair[0].bytes, pair[0].length,
                            pair[1].bytes, pair[1].length, &options, all));
    if (b->cut == LM_CUT_SECOND_WINDOWS)
        return add_pair_windows(b, all, room, index);
    memcpy(counts, all, sizeof counts);
    LM_TRY(cut_pair(b, counts, room, &window.truncated));
    for (int i = 0; i < 2; i++)
        parts[i] = lm_tokenizer_keep(tokenizer, all[i], counts[i]);
    return add_pair_window(b, parts, &window);
}

/* Types by the first separator. */
static void
put_types(const lm_batcher *b, size_t count)
{
    const int32_t *ids = b->session->ids + b->tokens;
    int32_t type = 0;

    for (size_t i = 0; i < count; i++) {
        b->session->types[b->tokens + i] = type;
        type |= ids[i] == *b->separator;
    }
}

/* Some tokens of the pair that is in the scratch, as a window. */
static lm_status
add_pair_window(lm_batcher *b, const lm_token_part parts[2], const lm_window *window)
{
    lm_session *session = b->session;
    const lm_tokenizer *tokenizer = lm_model_tokenizer(b->model);
    const lm_token_options options = options_of_pair(b);
    lm_encoding *encoding = &session->encoding;

    LM_TRY(lm_tokenize_join(b->ctx, tokenizer, session->scratch, parts, &options, encoding));
    LM_TRY(open_window(b, encoding->count));
    memcpy(session->ids + b->tokens, encoding->ids, encoding->count * sizeof(int32_t));
    memcpy(session->types + b->tokens, encoding->type_ids, encoding->count * sizeof(int32_t));
    if (b->separator)
        put_types(b, encoding->count);
    if (b->ranges) {
        size_t start = lm_tokenizer_second_starts(tokenizer, parts[0].count);

        put_ranges(b, start, start, parts[1].count, encoding->count);
    }
    return close_window(b, encoding->count, window);
}

/* Counts that fit into the room, by the batcher's rule; refused where that cannot be. */
static lm_status
cut_pair(const lm_batcher *b, size_t counts[2], size_t room, bool *cut)
{
    *cut = counts[0] > room || counts[1] > room - counts[0];
    if (!*cut)
        return LM_OK;
    if (b->on_long == LM_LONG_ERROR)
        return refuse_long(b);
    if (b->cut == LM_CUT_LONGEST) {
        lm_tokenizer_cut_pair(counts, room);
        return LM_OK;
    }
    if (counts[1] >= room) {
        lm_raise(b->ctx, LM_TOO_LARGE, "a text leaves no room for the one that is cut");
        lm_detail_found(b->ctx, "%zu tokens", counts[1]);
        return lm_detail_allowed(b->ctx, "fewer than %zu", room);
    }
    counts[0] = room - counts[1];
    return LM_OK;
}

/*
 * Windows that share `pair_overlap` tokens, until one ends with the text. An overlap that would
 * leave no way ahead is cut to half of a window. Where texts lose their beginning, windows go from
 * the end of the text to its beginning, as the reference's do.
 */
static lm_status
add_pair_windows(lm_batcher *b, const size_t counts[2], size_t room, size_t pair)
{
    const bool left = lm_tokenizer_cuts_left(lm_model_tokenizer(b->model));
    lm_token_part parts[2] = {{0, counts[0]}, {0}};
    size_t width, step, stop;

    if (counts[0] >= room) {
        lm_raise(b->ctx, LM_TOO_LARGE, "the first text leaves no room for the second");
        lm_detail_found(b->ctx, "%zu tokens", counts[0]);
        return lm_detail_allowed(b->ctx, "fewer than %zu", room);
    }
    width = room - counts[0];
    step = b->pair_overlap < width ? width - b->pair_overlap : width - width / 2;
    for (size_t start = 0;; start += step) {
        lm_window window = {.text = pair, .first = start == 0};

        stop = counts[1] - start < width ? counts[1] : start + width;
        window.last = stop == counts[1];
        window.truncated = window.last && start > 0;
        parts[1] = (lm_token_part){left ? counts[1] - stop : start, stop - start};
        LM_TRY(add_pair_window(b, parts, &window));
        if (window.last)
            return LM_OK;
    }
}

/* ---- Windows ---- */

/* Room for a window of up to `tokens` tokens behind those in the batch, which runs first if full.
 */
static lm_status
open_window(lm_batcher *b, size_t tokens)
{
    lm_session *session = b->session;
    size_t limit = b->batch_tokens > 0 ? b->batch_tokens : DEFAULT_BATCH_TOKENS;
    size_t need, type_capacity = session->token_capacity;

    if (tokens == 0)
        return lm_raise(b->ctx, LM_NO_TOKEN,
                        "the text has no token, and the model's tokenizer adds none");
    if (b->windows > 0 && b->tokens + tokens > limit)
        LM_TRY(lm_batch_flush(b));
    if (lm_add_overflows(b->tokens, tokens, &need))
        return lm_raise(b->ctx, LM_NO_MEMORY, "out of memory");
    LM_TRY(lm_session_grow(b->ctx, session, &session->types, &type_capacity, need,
                           sizeof *session->types));
    LM_TRY(lm_session_grow(b->ctx, session, &session->ids, &session->token_capacity, need,
                           sizeof *session->ids));
    if (b->ranges)
        LM_TRY(lm_session_grow(b->ctx, session, &session->ranges, &session->range_capacity, need,
                               sizeof *session->ranges));
    LM_TRY(lm_session_grow(b->ctx, session, &session->windows, &session->window_capacity,
                           b->windows + 1, sizeof *session->windows));
    if (b->filled_tokens > 0)
        LM_TRY(lm_session_grow(b->ctx, session, &session->keys, &session->key_capacity,
                               b->windows + 1, sizeof *session->keys));
    LM_TRY(lm_session_grow(b->ctx, session, &session->wanted, &session->wanted_capacity,
                           b->windows + 1, sizeof *session->wanted));
    return lm_session_grow(b->ctx, session, &session->offsets, &session->offset_capacity,
                           b->windows + 2, sizeof *session->offsets);
}

/* Take in the window whose `tokens` tokens stand behind the batch. */
static lm_status
close_window(lm_batcher *b, size_t tokens, const lm_window *window)
{
    lm_session *session = b->session;

    if (window->excluded >= tokens) {
        lm_raise(b->ctx, LM_BAD_ARGUMENT, "no token of the text is left to pool after the prompt");
        return lm_detail_key(b->ctx, "prompt");
    }
    session->windows[b->windows] = *window;
    session->windows[b->windows].token = b->tokens;
    session->wanted[b->windows] =
        b->tokens + (b->rows == LM_LAST_ROW ? tokens - 1 : window->excluded);
    session->offsets[b->windows++] = b->tokens;
    b->tokens += tokens;
    session->offsets[b->windows] = b->tokens;
    if (tokens > b->longest)
        b->longest = tokens;
    return LM_OK;
}

/* Hidden states of every row behind the last layer, as further heads may want them. */
static bool
shares(const lm_batcher *b)
{
    return b->states && !lm_model_layers(b->model) && b->filled_tokens == 0 && !b->mix &&
           b->layers == lm_weights_layers(lm_model_weights(b->model));
}

static lm_window_tokens
tokens_of(const lm_batcher *b, size_t window)
{
    const lm_session *session = b->session;
    const size_t first = session->offsets[window];

    return (lm_window_tokens){session->ids + first, session->types + first,
                              session->offsets[window + 1] - first};
}

/* Whether another head has had all windows of the batch computed. */
static bool
all_known(const lm_batcher *b)
{
    for (size_t i = 0; i < b->windows; i++) {
        const lm_window_tokens tokens = tokens_of(b, i);

        if (!lm_states_find(b->states, &tokens))
            return false;
    }
    return true;
}

/* The task reads what another head has had computed. */
static lm_status
take_known(lm_batcher *b, size_t width)
{
    const lm_session *session = b->session;

    for (size_t i = 0; i < b->windows; i++) {
        const lm_window_tokens tokens = tokens_of(b, i);
        const float *hidden = lm_states_find(b->states, &tokens);

        if (b->rows != LM_EVERY_ROW)
            hidden += (session->wanted[i] - session->offsets[i]) * width;
        LM_TRY(b->take(b->opaque, &session->windows[i], hidden, tokens.count));
    }
    return LM_OK;
}

/* Before the task reads them: it may fail, and others need not. */
static void
keep_states(const lm_batcher *b, const float *hidden, size_t width)
{
    for (size_t i = 0; i < b->windows; i++) {
        const lm_window_tokens tokens = tokens_of(b, i);

        lm_states_keep(b->states, &tokens, hidden + b->session->offsets[i] * width, width);
    }
}

static lm_status
take_computed(lm_batcher *b, size_t width, bool shared)
{
    const lm_session *session = b->session;
    const float *hidden;

    LM_TRY(lm_model_layers(b->model) ? run_layers(b, &hidden) : run_encoder(b, shared, &hidden));
    if (shared)
        keep_states(b, hidden, width);
    for (size_t i = 0; i < b->windows; i++) {
        size_t row = i;

        if (b->rows == LM_EVERY_ROW)
            row = session->offsets[i];
        else if (shared)
            row = session->wanted[i];
        LM_TRY(b->take(b->opaque, &session->windows[i], hidden + row * width,
                       session->offsets[i + 1] - session->offsets[i]));
    }
    return LM_OK;
}

/* Numbers of a row that a task reads. */
static size_t
row_width(const lm_batcher *b)
{
    const lm_layers *layers = lm_model_layers(b->model);

    return layers ? layers->net.out : (size_t)lm_weights_dims(lm_model_weights(b->model))->hidden;
}

lm_status
lm_batch_flush(lm_batcher *b)
{
    const size_t width = row_width(b);
    const bool shared = shares(b);
    const bool known = shared && all_known(b);

    if (b->windows == 0)
        return LM_OK;
    LM_TRY(known ? take_known(b, width) : take_computed(b, width, shared));
    if (b->counts)
        count_batch(b, !known);
    lm_letters_clear(&b->session->letters);
    b->tokens = b->windows = b->longest = 0;
    return LM_OK;
}

/* Its content need not be kept. */
static lm_status
grow_workspace(const lm_batcher *b, size_t bytes)
{
    lm_session *session = b->session;

    if (bytes > session->workspace_capacity) {
        lm_free(session->ctx, session->workspace);
        session->workspace = NULL;
        session->workspace_capacity = 0;
    }
    return lm_session_grow(b->ctx, session, &session->workspace, &session->workspace_capacity,
                           bytes, 1);
}

/* A net of layers over the batch: its rows are those that the task asks for. */
static lm_status
run_layers(const lm_batcher *b, const float **hidden)
{
    lm_session *session = b->session;
    const lm_layers *layers = lm_model_layers(b->model);
    const size_t order = lm_align_up(b->windows * sizeof(size_t));
    const size_t steps = lm_align_up((b->longest + 1) * sizeof(size_t));
    lm_net_batch batch = {.tokens = b->tokens,
                          .texts = b->windows,
                          .longest = b->longest,
                          .ids = session->ids,
                          .offsets = session->offsets,
                          .one_way = b->one_way,
                          .letters = (const unsigned char *)session->letters.bytes.data,
                          .letter_ends = (const size_t *)(const void *)session->letters.ends.data};
    const size_t mixed = b->mix ? lm_align_up(b->tokens * layers->net.out * sizeof(float)) : 0;
    size_t bytes = 0;
    char *at;

    LM_TRY(lm_net_room(b->ctx, &layers->net, &batch, &bytes));
    if (lm_add_overflows(bytes, order + steps + mixed + LM_ALIGNMENT, &bytes))
        return lm_raise(b->ctx, LM_TOO_LARGE, "the texts have too many tokens");
    LM_TRY(grow_workspace(b, bytes));
    at = (char *)lm_align_up((uintptr_t)session->workspace);
    lm_net_order(&batch, (size_t *)(void *)at, (size_t *)(void *)(at + order));
    at += order + steps;
    LM_TRY(lm_net_forward(b->ctx, &layers->net, &layers->weights, &batch, at + mixed, hidden));
    if (!b->mix)
        return LM_OK;
    *hidden = (const float *)(void *)at;
    return lm_net_mix(b->ctx, &layers->net, &layers->weights, &batch, at + mixed, b->mix,
                      (float *)(void *)at);
}

/* Over the batch in the session's arrays. */
static lm_status
run_encoder(const lm_batcher *b, bool every_row, const float **hidden)
{
    lm_context *ctx = b->ctx;
    lm_session *session = b->session;
    const lm_weights *weights = lm_model_weights(b->model);
    const size_t needed =
        lm_align_up(lm_forward_workspace(weights, b->tokens, b->longest) + LM_ALIGNMENT);
    const size_t mixed =
        b->mix ? b->tokens * (size_t)lm_weights_dims(weights)->hidden * sizeof(float) : 0;
    lm_batch batch = {
        .tokens = b->tokens,
        .texts = b->windows,
        .ids = session->ids,
        .type_ids = session->types,
        .offsets = session->offsets,
        .outputs = every_row || b->rows == LM_EVERY_ROW ? NULL : session->wanted,
        .keys = b->filled_tokens > 0 ? session->keys : NULL,
        .mix = b->mix,
    };
    const size_t bytes = needed + mixed;
    char *workspace;

    LM_TRY(grow_workspace(b, bytes));
    workspace = (char *)lm_align_up((uintptr_t)session->workspace);
    batch.mixed = b->mix ? (float *)(void *)(workspace + needed - LM_ALIGNMENT) : NULL;
    return lm_forward(ctx, weights, &batch, b->layers, workspace, hidden);
}

/*
 * Only what was computed counts, so that a call that fails later has counted what it did. Of hidden
 * states that another head had computed the texts count.
 */
static void
count_batch(const lm_batcher *b, bool computed)
{
    lm_embed_counts *counts = b->counts;

    counts->forwards += computed;
    counts->tokens += computed ? b->tokens : 0;
    for (size_t i = 0; i < b->windows; i++) {
        counts->texts += b->session->windows[i].last;
        counts->truncated += b->session->windows[i].truncated;
    }
}
