/*
 * outcome.c - from bytes of a worker to a checked outcome.
 *
 * Invariants
 *   - Nothing is looked at before it is in memory that the worker cannot change: copied, or mapped
 *     from a memfd whose contents are sealed.
 *   - Whatever the worker sent, an outcome comes of it: a value that can be unpacked, or an
 *     exception that says what was wrong.
 *   - An outcome can always be had, also without memory.
 */
#include "task/outcome.h"

#include "codec/pack.h"
#include "shm/buffer.h"
#include "shm/memory.h"
#include "task/symbolise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct pp_outcome *outcome_new(pp_state state, size_t bytes)
{
    size_t             room = bytes > PP_OUTCOME_SMALL ? bytes : PP_OUTCOME_SMALL;
    struct pp_outcome *outcome = malloc(sizeof *outcome + room);
    if (outcome != NULL)
        *outcome = (struct pp_outcome){.state = state, .room = room};
    return outcome;
}

/* The spare one when it is large enough; otherwise that is freed. */
static struct pp_outcome *outcome_in(struct pp_outcome *spare, pp_state state, size_t bytes)
{
    if (spare != NULL && bytes <= spare->room) {
        *spare = (struct pp_outcome){.state = state, .room = spare->room};
        return spare;
    }
    free(spare);
    return outcome_new(state, bytes);
}

/* ------------------------------------------------------------------------ errors */

/* The S_ERROR form: its bytes, which `document` refers to, or NULL. */
static unsigned char *encode_error(const struct pp_error *error, const char *backtrace,
                                   struct pp_document *document)
{
    struct pp_bytes       bytes = {0};
    struct pp_buffer_list none = {0};
    int                   status = pp_pack_result_args(
                          &bytes, &none,
                          "{\"OK\": b, \"Errno\": i, \"Message\": s, \"Exception\": {\"Value\": s, "
                                            "\"Exc_info\": s}}",
                          (int)false, error->number, error->message, error->name, backtrace);
    pp_buffer_list_free(&none);
    if (status == 0)
        status = pp_document_init(document, bytes.data, bytes.size, false, false, NULL, 0);
    if (status < 0)
        pp_bytes_free(&bytes);
    return bytes.data;
}

static void symbolised_free(struct pp_symbolised *symbolised)
{
    if (symbolised == NULL)
        return;
    if (symbolised->encoded != NULL)
        pp_document_clear(&symbolised->document);
    free(symbolised->encoded);
    free(symbolised->backtrace);
    free(symbolised);
}

static void error_free(struct pp_error *error)
{
    if (error == NULL)
        return;
    if (error->encoded != NULL)
        pp_document_clear(&error->document);
    symbolised_free(atomic_load_explicit(&error->symbolised, memory_order_relaxed));
    free(error->encoded);
    free(error->name);
    free(error->message);
    free(error->backtrace);
    free(error);
}

/* What stands in for an outcome when there is no memory: one for each state, never freed. */
static const unsigned char no_memory_encoded[] = "\x84\xa2OK\xc2\xa5"
                                                 "Errno\x0c\xa7Message\xadout of memory\xa9"
                                                 "Exception\x82\xa5Value\xa6"
                                                 "ENOMEM\xa8"
                                                 "Exc_info\xa0";

static struct pp_error no_memory_errors[PP_WORKER_LOST + 1] = {
#define NO_MEMORY(which)                                                   \
    [which] = {.state = (which),                                           \
               .number = ENOMEM,                                           \
               .name = (char[]){"ENOMEM"},                                 \
               .message = (char[]){"out of memory"},                       \
               .backtrace = (char[]){""},                                  \
               .document = {.data = no_memory_encoded,                     \
                            .size = sizeof no_memory_encoded - 1,          \
                            .root = {.data = no_memory_encoded,            \
                                     .size = sizeof no_memory_encoded - 1, \
                                     .document = &no_memory_errors[which].document}}}
    NO_MEMORY(PP_FAILED), NO_MEMORY(PP_TIMED_OUT), NO_MEMORY(PP_CANCELLED),
    NO_MEMORY(PP_WORKER_LOST)};

static struct pp_outcome no_memory_outcomes[PP_WORKER_LOST + 1] = {
    [PP_FAILED] = {.state = PP_FAILED, .error = &no_memory_errors[PP_FAILED]},
    [PP_TIMED_OUT] = {.state = PP_TIMED_OUT, .error = &no_memory_errors[PP_TIMED_OUT]},
    [PP_CANCELLED] = {.state = PP_CANCELLED, .error = &no_memory_errors[PP_CANCELLED]},
    [PP_WORKER_LOST] = {.state = PP_WORKER_LOST, .error = &no_memory_errors[PP_WORKER_LOST]}};

static bool is_constant(const struct pp_outcome *outcome)
{
    return outcome >= no_memory_outcomes && outcome <= &no_memory_outcomes[PP_WORKER_LOST];
}

struct pp_outcome *pp_outcome_error(pp_state state, int number, const char *name,
                                    const char *message, const char *backtrace, int wait_status)
{
    struct pp_outcome *outcome = outcome_new(state, 0);
    struct pp_error   *error = calloc(1, sizeof *error);
    if (outcome == NULL || error == NULL)
        goto failed;
    *error = (struct pp_error){.state = state,
                               .number = number,
                               .wait_status = wait_status,
                               .name = strdup(name),
                               .message = strdup(message),
                               .backtrace = strdup(backtrace)};
    if (error->name == NULL || error->message == NULL || error->backtrace == NULL)
        goto failed;
    error->encoded = encode_error(error, error->backtrace, &error->document);
    if (error->encoded == NULL)
        goto failed;
    outcome->error = error;
    return outcome;
failed:
    error_free(error);
    free(outcome);
    return &no_memory_outcomes[state];
}

static struct pp_outcome *bad_result(const char *what)
{
    return pp_outcome_error(PP_FAILED, EBADMSG, "EBADMSG", what, "", 0);
}

/* ----------------------------------------------------------------------- results */

/* Bytes into the outcome's own memory, or a sealed mapping. */
static struct pp_outcome *hold_bytes(const struct pp_raw_result *raw, struct pp_outcome *spare,
                                     int *problem)
{
    struct pp_outcome *outcome = outcome_in(spare, PP_DONE, raw->is_mapped ? 0 : raw->size);
    *problem = 0;
    if (outcome == NULL) {
        *problem = -ENOMEM;
        return NULL;
    }
    if (!raw->is_mapped) {
        if (raw->size > 0)
            memcpy(outcome->bytes, raw->data, raw->size);
        return outcome;
    }
    size_t size = 0;
    *problem = raw->fd_count > 0 ? pp_memory_checked_contents(raw->fds[0], &size) : -EBADMSG;
    if (*problem == 0 && (size != raw->size || size == 0))
        *problem = -EBADMSG;
    if (*problem == 0) {
        /* private: an older kernel refuses to share what is sealed against writing */
        outcome->mapping = mmap(NULL, size, PROT_READ, MAP_PRIVATE, raw->fds[0], 0);
        outcome->mapping_size = size;
        if (outcome->mapping == MAP_FAILED) {
            *problem = -errno;
            outcome->mapping = NULL;
        }
    }
    if (*problem < 0) {
        pp_outcome_free(outcome);
        return NULL;
    }
    return outcome;
}

static int hold_buffers(struct pp_outcome *outcome, const struct pp_raw_result *raw)
{
    size_t first = raw->is_mapped ? 1 : 0;
    if (raw->fd_count <= first)
        return 0;
    outcome->buffers = calloc(raw->fd_count - first, sizeof(pp_buffer *));
    if (outcome->buffers == NULL)
        return -ENOMEM;
    for (size_t i = first; i < raw->fd_count; i++) {
        int fd = fcntl(raw->fds[i], F_DUPFD_CLOEXEC, 0);
        int error = fd < 0 ? -errno : pp_buffer_adopt(&outcome->buffers[i - first], fd);
        if (error < 0) {
            if (fd >= 0)
                (void)close(fd);
            return error;
        }
        outcome->buffer_count++;
    }
    return 0;
}

/* The worker had no memory for a record: its bare errno. */
static struct pp_outcome *bare_error(const struct pp_raw_result *raw)
{
    uint32_t number = 0;
    memcpy(&number, raw->data, sizeof number);
    int         error = number > 0 && number < INT32_MAX ? (int)number : EBADMSG;
    const char *name = strerrorname_np(error);
    return pp_outcome_error(PP_FAILED, error, name != NULL ? name : "Exception",
                            "the worker had no memory to say more", "", 0);
}

static struct pp_outcome *from_record(struct pp_outcome *held)
{
    struct pp_value *record = &held->document.root;
    int              number = 0;
    const char      *name = NULL;
    const char      *backtrace = NULL;
    const void      *message = NULL;
    size_t           size = 0;
    uint64_t         item = 0;
    if (pp_value_unpack(record, "[isysU]", &number, &name, &message, &size, &backtrace, &item) <
            0 ||
        number <= 0)
        return bad_result("the worker sent an exception that cannot be read");
    char *text = malloc(size + 1); /* no NUL stands behind bytes */
    if (text == NULL)
        return &no_memory_outcomes[PP_FAILED];
    if (size > 0)
        memcpy(text, message, size);
    text[size] = '\0';
    struct pp_outcome *outcome = pp_outcome_error(PP_FAILED, number, name, text, backtrace, 0);
    free(text);
    if (!is_constant(outcome))
        outcome->error->item = item;
    return outcome;
}

struct pp_outcome *pp_outcome_from_raw(const struct pp_raw_result *raw, struct pp_outcome *spare)
{
    if (raw->is_error && !raw->is_mapped && raw->size == sizeof(uint32_t)) {
        free(spare);
        return bare_error(raw);
    }
    int                problem = 0;
    struct pp_outcome *held = hold_bytes(raw, spare, &problem);
    if (held == NULL)
        return problem == -ENOMEM ? &no_memory_outcomes[PP_FAILED]
                                  : bad_result("the worker sent a result that is not sealed");
    problem = hold_buffers(held, raw);
    if (problem == 0) {
        const void *data = raw->is_mapped ? held->mapping : held->bytes;
        problem =
            pp_document_init(&held->document, data, raw->size, raw->is_bytes && !raw->is_error,
                             false, held->buffers, held->buffer_count);
    }
    if (problem == 0 && !raw->is_error)
        return held;
    struct pp_outcome *outcome =
        problem < 0 ? bad_result("the worker sent a result that is no value") : from_record(held);
    pp_outcome_free(held);
    return outcome;
}

/* Give back what it holds; its own memory stays. */
static void outcome_empty(struct pp_outcome *outcome)
{
    if (outcome->document.data != NULL)
        pp_document_clear(&outcome->document);
    while (outcome->buffer_count > 0)
        pp_buffer_unref(outcome->buffers[--outcome->buffer_count]);
    free(outcome->buffers);
    outcome->buffers = NULL;
    if (outcome->mapping != NULL)
        munmap(outcome->mapping, outcome->mapping_size);
    outcome->mapping = NULL;
    error_free(outcome->error);
    outcome->error = NULL;
}

void pp_outcome_free(struct pp_outcome *outcome)
{
    if (outcome == NULL || is_constant(outcome))
        return;
    outcome_empty(outcome);
    free(outcome);
}

bool pp_outcome_make_spare(struct pp_outcome *outcome)
{
    if (outcome == NULL || is_constant(outcome) || outcome->room > PP_OUTCOME_SMALL) {
        pp_outcome_free(outcome);
        return false;
    }
    outcome_empty(outcome);
    return true;
}

/* ---------------------------------------------------------------- symbolised form */

static struct pp_symbolised *symbolise(const struct pp_error *error)
{
    struct pp_symbolised *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->backtrace = pp_symbolise(error->backtrace);
    if (made->backtrace != NULL)
        made->encoded = encode_error(error, made->backtrace, &made->document);
    if (made->encoded != NULL)
        return made;
    symbolised_free(made);
    return NULL;
}

/* Of an error with a backtrace; NULL: there is no memory, and the raw one has to do. */
static const struct pp_symbolised *symbolised_of(const struct pp_error *error)
{
    /* what is added is no part of what the user was promised not to change */
    _Atomic(struct pp_symbolised *) *place = &((struct pp_error *)error)->symbolised;
    struct pp_symbolised            *there = atomic_load_explicit(place, memory_order_acquire);
    if (there != NULL || error->backtrace[0] == '\0')
        return there;
    struct pp_symbolised *made = symbolise(error);
    if (made == NULL ||
        atomic_compare_exchange_strong_explicit(place, &there, made, memory_order_acq_rel,
                                                memory_order_acquire))
        return made;
    symbolised_free(made); /* another thread was faster, and its strings are in use */
    return there;
}

/* -------------------------------------------------------------- public accessors */

pp_state pp_error_state(const pp_error *error)
{
    return error != NULL ? error->state : PP_NEW;
}

int pp_error_errno(const pp_error *error)
{
    return error != NULL ? error->number : 0;
}

const char *pp_error_name(const pp_error *error)
{
    return error != NULL ? error->name : "";
}

const char *pp_error_message(const pp_error *error)
{
    return error != NULL ? error->message : "";
}

const char *pp_error_backtrace(const pp_error *error)
{
    if (error == NULL)
        return "";
    const struct pp_symbolised *symbolised = symbolised_of(error);
    return symbolised != NULL ? symbolised->backtrace : error->backtrace;
}

int pp_error_wait_status(const pp_error *error)
{
    return error != NULL ? error->wait_status : 0;
}

const pp_value *pp_error_value(const pp_error *error)
{
    if (error == NULL)
        return NULL;
    const struct pp_symbolised *symbolised = symbolised_of(error);
    return symbolised != NULL ? &symbolised->document.root : &error->document.root;
}
