/*
 * outcomes.c - what a worker left behind a DONE: results and error records, whole, cut or invented,
 * with descriptors that are what they should be or not.
 *
 *     flags   1: bytes   2: an error   4: mapped   8: the memfd is not sealed   16: claims another size
 *             32: the memfd is not among the descriptors
 *     count   of descriptors beside the mapped one, and of which kind, two bits each
 *     the rest is the payload
 */
#include "shown.h"

#include "shm/buffer.h"
#include "shm/memory.h"
#include "task/outcome.h"

#include <fcntl.h>
#include <unistd.h>

enum { KINDS = 4, MOST = 4 };

/* Sealed as a buffer is; not sealed; not memory; a directory. */
static int kinds[KINDS] = {-1, -1, -1, -1};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    pp_buffer *buffer = NULL;
    CHECK(pp_buffer_create(&buffer, 100) == 0);
    kinds[0] = fcntl(pp_buffer_fd(buffer), F_DUPFD_CLOEXEC, 0);
    pp_buffer_unref(buffer);
    kinds[1] = pp_memory_create("fuzz", 100);
    kinds[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
    kinds[3] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < KINDS; i++)
        CHECK(kinds[i] >= 0);
    return 0;
}

static int memfd_of(const void *data, size_t size, bool sealed)
{
    int fd = pp_memory_create("fuzz", size);
    CHECK(fd >= 0);
    CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
    if (sealed)
        CHECK(pp_memory_seal_contents(fd) == 0);
    return fd;
}

static void use_error(const struct pp_outcome *outcome)
{
    const pp_error *error = outcome->error;
    bool            ok = true;
    int             number = 0;
    const char     *message = NULL;
    CHECK(outcome->state == PP_FAILED && error != NULL);
    CHECK(pp_error_state(error) == PP_FAILED);
    CHECK(pp_error_errno(error) > 0);
    CHECK(pp_error_name(error) != NULL && pp_error_message(error) != NULL &&
          pp_error_backtrace(error) != NULL);
    CHECK(pp_value_unpack(pp_error_value(error), "{\"OK\": b, \"Errno\": i}", &ok, &number) == 0);
    CHECK(!ok && number == pp_error_errno(error));
    if (pp_value_unpack(pp_error_value(error), "{\"Message\": s}", &message) == 0)
        CHECK(strcmp(message, pp_error_message(error)) == 0);
    print_value(pp_error_value(error));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    unsigned     flags = input_byte(&input);
    unsigned     others = input_byte(&input);
    int          fds[MOST + 1];
    int          memfd = -1;
    void        *payload = input_rest(&input, &size);
    if ((flags & 4) != 0)
        memfd = memfd_of(payload, size, (flags & 8) == 0);
    struct pp_raw_result raw = {.data = memfd < 0 ? payload : NULL,
                                .size = memfd >= 0 && (flags & 16) != 0 ? size + 1 : size,
                                .is_bytes = (flags & 1) != 0,
                                .is_error = (flags & 2) != 0,
                                .is_mapped = memfd >= 0,
                                .fds = fds};
    if (memfd >= 0 && (flags & 32) == 0)
        fds[raw.fd_count++] = memfd;
    for (unsigned i = 0; i < others >> 6; i++)
        fds[raw.fd_count++] = kinds[others >> (2 * i) & 3];
    struct pp_outcome *outcome = pp_outcome_from_raw(&raw, NULL);
    CHECK(outcome != NULL);
    if (outcome->state == PP_DONE) {
        CHECK(!raw.is_error);
        CHECK(memfd < 0 || (flags & (8 | 16 | 32)) == 0);
        print_value(&outcome->document.root);
        use_value(&outcome->document.root, 0);
    } else
        use_error(outcome);
    pp_outcome_free(outcome);
    if (memfd >= 0)
        (void)close(memfd);
    free(payload);
    return 0;
}
