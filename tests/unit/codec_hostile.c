/*
 * codec_hostile.c - bytes from a process that means harm.
 *
 * Whatever they are, pp_document_init gives 0 or -EBADMSG; and what it has let pass can be
 * unpacked, printed and packed again.  The sanitizers and valgrind watch over the reads: each
 * input lies in a block of exactly its size.
 */
#include "codec/item.h"
#include "codec/utf8.h"
#include "codec_support.h"

#include <msgpack.h>

/* ------------------------------------------------------------ what must hold */

/* msgpack-c, which is another decoder, finds the same: one object, and nothing behind it. */
static void other_decoder_agrees(const pp_value *value)
{
    msgpack_unpacked      object;
    size_t                end = 0;
    msgpack_unpack_return found;
    msgpack_unpacked_init(&object);
    found = msgpack_unpack_next(&object, (const char *)value->data, value->size, &end);
    /* it gives up at a depth of 32 */
    assert_true(found == MSGPACK_UNPACK_SUCCESS || found == MSGPACK_UNPACK_NOMEM_ERROR);
    if (found == MSGPACK_UNPACK_SUCCESS)
        assert_int_equal(end, value->size);
    msgpack_unpacked_destroy(&object);
}

static const char *skip_json(const char *at);

static const char *skip_json_string(const char *at)
{
    assert_int_equal(*at++, '"');
    while (*at != '"') {
        bool valid;
        assert_true((unsigned char)*at >= 0x20);
        if (*at == '\\') {
            at++;
            if (*at == 'u')
                assert_true(strspn(at + 1, "0123456789abcdef") >= 4);
            else
                assert_non_null(strchr("\"\\bfnrt", *at));
            at++;
            continue;
        }
        at += pp_utf8_next((const unsigned char *)at, strlen(at), &valid);
        assert_true(valid);
    }
    return at + 1;
}

static const char *skip_json_items(const char *at, char close)
{
    if (*++at == close)
        return at + 1;
    for (;;) {
        if (close == '}') {
            at = skip_json_string(at);
            assert_memory_equal(at, ": ", 2);
            at += 2;
        }
        at = skip_json(at);
        if (*at == close)
            return at + 1;
        assert_memory_equal(at, ", ", 2);
        at += 2;
    }
}

static const char *skip_json(const char *at)
{
    static const char *const words[] = {"null", "true", "false"};
    if (*at == '[' || *at == '{')
        return skip_json_items(at, *at == '[' ? ']' : '}');
    if (*at == '"')
        return skip_json_string(at);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    char *end;
    strtod(at, &end);
    assert_ptr_not_equal(end, at);
    return end;
}

static void prints_json(const pp_value *value)
{
    static char  text[1 << 16]; /* ten times the longest input, at least */
    static FILE *stream;        /* made once, since it is needed often; never closed */
    if (stream == NULL)
        stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    rewind(stream);
    assert_int_equal(pp_value_print(value, stream), 0);
    assert_int_equal(fputc('\0', stream), 0);
    assert_int_equal(fflush(stream), 0);
    assert_int_equal(*skip_json(text), '\0');
}

static void packs_as_it_is(const pp_value *value)
{
    struct pp_bytes       out = {0};
    struct pp_buffer_list list = {0};
    assert_int_equal(pp_pack_result_args(&out, &list, "v", value), 0);
    assert_int_equal(out.size, value->size);
    if (list.count == 0)
        assert_memory_equal(out.data, value->data, out.size);
    pp_bytes_free(&out);
    pp_buffer_list_free(&list);
}

/* Each letter takes the value or leaves its target alone. */
static void unpacks_or_refuses(const pp_value *value)
{
    static const char *const formats[] = {
        "z", "b", "i", "u", "I", "U", "d", "s", "y", "v", "B", "[i]", "ii", "{\"a\": i}", "",
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        unsigned char target[16], before[16];
        size_t        size = 77;
        memset(target, 0xa5, sizeof target);
        memcpy(before, target, sizeof before);
        void *place = target;
        int   error = pp_value_unpack(value, formats[i], place, &size);
        assert_true(error == 0 || error == -EINVAL || error == -ERANGE || error == -ENOENT ||
                    error == -E2BIG);
        if (error < 0) {
            assert_memory_equal(target, before, sizeof before);
            assert_int_equal(size, 77);
        }
    }
}

/* Go through all that is inside, by the public calls alone. */
static void walk(const pp_value *value, unsigned depth)
{
    const pp_value *child;
    char            format[64];
    assert_true(depth <= PP_MAX_DEPTH);
    unpacks_or_refuses(value);
    for (size_t items = 1; items < 30; items++) {
        const pp_value *children[30];
        format[0] = '[';
        memset(format + 1, 'v', items);
        memcpy(format + 1 + items, "]", 2);
        int error = pp_value_unpack(value, format, &children[0], &children[1], &children[2],
                                    &children[3], &children[4], &children[5], &children[6],
                                    &children[7], &children[8], &children[9], &children[10],
                                    &children[11], &children[12], &children[13], &children[14],
                                    &children[15], &children[16], &children[17], &children[18],
                                    &children[19], &children[20], &children[21], &children[22],
                                    &children[23], &children[24], &children[25], &children[26],
                                    &children[27], &children[28], &children[29]);
        if (error == -EINVAL || error == -ENOENT)
            break;
        for (size_t i = 0; error == 0 && i < items; i++)
            walk(children[i], depth + 1);
    }
    if (pp_value_unpack(value, "{\"a\": v}", &child) == 0)
        walk(child, depth + 1);
}

/* Is it let in?  Then everything must work. */
static bool survives(const void *data, size_t size, bool with_keywords, pp_buffer *buffer)
{
    struct packed   packed = {.buffers = {.items = &buffer, .count = buffer != NULL}};
    const pp_value *value = NULL;
    bool            good = open_bytes(&packed, data, size, with_keywords);
    int             i = 77, k = 77;
    if (good && !with_keywords) {
        other_decoder_agrees(&packed.document.root);
        prints_json(&packed.document.root);
        packs_as_it_is(&packed.document.root);
        walk(&packed.document.root, 0);
    } else if (good) {
        prints_json(&packed.document.root);
        unpack_arguments(&packed.document, "");
        if (unpack_arguments(&packed.document, "i[sv] k=i o?=v", &i, &(const char *){0}, &value, &k,
                             &value) < 0)
            assert_true(i == 77 && k == 77);
    }
    pp_document_clear(&packed.document);
    free(packed.data);
    return good;
}

/* -------------------------------------------------------------------- inputs */

/* Everything that there is, short enough to be tried often.  The caller frees the bytes. */
static void pack_everything(struct pp_bytes *out, pp_buffer *buffer, bool with_keywords)
{
    struct pp_buffer_list list = {0};
    const char           *text = "a string that is longer than thirty-one bytes";
    if (with_keywords)
        assert_int_equal(pack_arguments(out, &list, "i[sB]{\"a\": d} k=I o=[y]", 5, "x", buffer,
                                        1.5, INT64_MIN, "bytes", (size_t)5),
                         0);
    else
        assert_int_equal(pp_pack_result_args(out, &list,
                                             "[zbbiiiuU]{\"a\": [dsy], \"b\": {\"\": B}}[s{}[]]",
                                             true, false, 1, -1, -70000, 70000u, UINT64_MAX, 0.1,
                                             "h\xc3\xa9", "\0\xff", (size_t)2, buffer, text),
                         0);
    pp_buffer_list_free(&list);
}

static pp_buffer *new_buffer(void)
{
    pp_buffer *buffer = NULL;
    assert_int_equal(pp_buffer_create(&buffer, 100), 0);
    return buffer;
}

/* The same numbers on every machine: xorshift64. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t random_below(uint64_t *state, size_t limit)
{
    return (size_t)(random_next(state) >> 16) % limit;
}

/* First bytes of items and lengths at the limits hit more than plain noise. */
static unsigned char random_byte(uint64_t *state)
{
    static const unsigned char nasty[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0x90, 0x91,
                                          0x9f, 0xa0, 0xbf, 0xff, 0xfe, 0xe0, 0x42};
    switch (random_below(state, 3)) {
    case 0:
        return nasty[random_below(state, sizeof nasty)];
    case 1:
        return (unsigned char)(0xc0 + random_below(state, 32));
    default:
        return (unsigned char)random_next(state);
    }
}

static size_t mutate(unsigned char *data, size_t size, uint64_t *state)
{
    for (size_t changes = 1 + random_below(state, 4); changes > 0 && size > 1; changes--) {
        size_t at = random_below(state, size);
        switch (random_below(state, 5)) {
        case 0:
            data[at] ^= (unsigned char)(1u << random_below(state, 8));
            break;
        case 1: /* cut out */
            memmove(data + at, data + at + 1, --size - at);
            break;
        case 2: /* copy another part over this one */
            data[at] = data[random_below(state, size)];
            break;
        case 3: /* cut off */
            size = random_below(state, 4) == 0 ? at + 1 : size;
            break;
        default:
            data[at] = random_byte(state);
        }
    }
    return size;
}

/* --------------------------------------------------------------------- tests */

static void a_message_cut_at_any_byte_is_ebadmsg(void **state)
{
    pp_buffer *buffer = new_buffer();
    (void)state;
    for (int with_keywords = 0; with_keywords < 2; with_keywords++) {
        struct pp_bytes bytes = {0};
        pack_everything(&bytes, buffer, with_keywords);
        assert_true(survives(bytes.data, bytes.size, with_keywords, buffer));
        for (size_t size = 0; size < bytes.size; size++) {
            /* arguments may end before their map of keywords, and are whole then */
            if (survives(bytes.data, size, with_keywords, buffer))
                assert_true(with_keywords && bytes.data[size] == 0x82);
        }
        pp_bytes_free(&bytes);
    }
    pp_buffer_unref(buffer);
}

static void a_byte_behind_the_message_is_ebadmsg(void **state)
{
    pp_buffer *buffer = new_buffer();
    (void)state;
    for (int with_keywords = 0; with_keywords < 2; with_keywords++) {
        struct pp_bytes bytes = {0};
        pack_everything(&bytes, buffer, with_keywords);
        assert_int_equal(pp_bytes_append(&bytes, "\xc0", 1), 0);
        assert_false(survives(bytes.data, bytes.size, with_keywords, buffer));
        pp_bytes_free(&bytes);
    }
    pp_buffer_unref(buffer);
}

/* A twentieth under valgrind, which is that much slower. */
static int rounds(int many)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL ? many / 20 : many;
}

static void changed_messages_are_refused_or_work(void **state)
{
    const int  many = rounds(60000);
    pp_buffer *buffer = new_buffer();
    (void)state;
    for (int with_keywords = 0; with_keywords < 2; with_keywords++) {
        uint64_t        seed = UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)with_keywords;
        size_t          good = 0;
        struct pp_bytes bytes = {0};
        pack_everything(&bytes, buffer, with_keywords);
        unsigned char *changed = malloc(bytes.size);
        assert_non_null(changed);
        for (int round = 0; round < many; round++) {
            memcpy(changed, bytes.data, bytes.size);
            size_t size = mutate(changed, bytes.size, &seed);
            good += survives(changed, size, with_keywords, buffer);
        }
        assert_in_range(good, many / 100, many - 1); /* both ways are gone */
        free(changed);
        pp_bytes_free(&bytes);
    }
    pp_buffer_unref(buffer);
}

static void noise_is_refused_or_works(void **state)
{
    enum { LONGEST = 40 };
    const int  many = rounds(100000);
    pp_buffer *buffer = new_buffer();
    uint64_t   seed = 42;
    (void)state;
    for (int round = 0; round < many; round++) {
        unsigned char noise[LONGEST];
        size_t        size = random_below(&seed, LONGEST + 1);
        for (size_t i = 0; i < size; i++)
            noise[i] = random_byte(&seed);
        survives(noise, size, round % 2, buffer);
    }
    pp_buffer_unref(buffer);
}

/* Every first byte, with every rest that is only zeros or only ones. */
static void every_first_byte_is_refused_or_works(void **state)
{
    pp_buffer *buffer = new_buffer();
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (size_t size = 0; size < 40; size++) {
            unsigned char wire[41];
            memset(wire, 0x00, sizeof wire);
            wire[0] = (unsigned char)first;
            survives(wire, size + 1, false, buffer);
            memset(wire + 1, 0xff, sizeof wire - 1);
            survives(wire, size + 1, false, buffer);
            survives(wire, size + 1, true, buffer);
        }
    }
    pp_buffer_unref(buffer);
}

static void a_length_or_count_beyond_the_bytes_is_ebadmsg(void **state)
{
    static const struct {
        const char *wire;
        size_t      size;
    } bad[] = {
        {"\xdd\xff\xff\xff\xff\xc0", 6},     /* list of 2^32 - 1  */
        {"\xdc\xff\xff\xc0", 4},             /* list of 2^16 - 1  */
        {"\xdf\xff\xff\xff\xff\xc0\xc0", 7}, /* map               */
        {"\xdf\x80\0\0\x01\xc0\xc0", 7},     /* twice that wraps in 32 bits */
        {"\xde\xff\xff\xc0\xc0", 5},         /* map               */
        {"\xdb\xff\xff\xff\xff"
         "a",
         6}, /* string            */
        {"\xc6\xff\xff\xff\xff"
         "a",
         6}, /* bytes             */
        {"\xc9\xff\xff\xff\xff"
         "Ba",
         7}, /* ext               */
        {"\xda\0\x02"
         "a",
         4},                                 /* one byte too long */
        {"\x92\xdd\xff\xff\xff\xff\xc0", 7}, /* inside a list     */
        {"\xdd\xff\xff\xff\xff", 5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(survives(bad[i].wire, bad[i].size, false, NULL));
        assert_false(survives(bad[i].wire, bad[i].size, true, NULL));
    }
}

static void a_claim_of_many_lists_of_many_ends_soon(void **state)
{
    enum { SIZE = 1 << 20 };
    struct pp_document document;
    unsigned char     *wire = malloc(SIZE);
    (void)state;
    assert_non_null(wire);
    /* heads of lists that claim about all that is left, as deep as may be */
    memset(wire, 0x90, SIZE);
    for (size_t i = 0; i < PP_MAX_DEPTH; i++) {
        unsigned char *head = wire + 5 * i;
        uint32_t       count = (uint32_t)(SIZE - 5 * (i + 1));
        head[0] = 0xdd;
        for (int byte = 4; byte > 0; byte--, count >>= 8)
            head[byte] = (unsigned char)count;
    }
    assert_int_equal(pp_document_init(&document, wire, SIZE, false, false, NULL, 0), -EBADMSG);
    free(wire);
}

static void nesting_beyond_the_depth_is_ebadmsg(void **state)
{
    enum { DEEP = 1000000 };
    static const unsigned char heads[] = {0x91, 0x81};
    unsigned char             *wire = malloc(DEEP);
    (void)state;
    assert_non_null(wire);
    for (size_t i = 0; i < sizeof heads; i++) {
        memset(wire, heads[i], DEEP);
        assert_false(survives(wire, DEEP, false, NULL));
        assert_false(survives(wire, DEEP, true, NULL));
        memset(wire, 0x91, DEEP);
        wire[DEEP - 1] = 0xc0; /* complete */
        assert_false(survives(wire, DEEP, false, NULL));
        wire[PP_MAX_DEPTH] = 0xc0; /* just deep enough ... */
        assert_true(survives(wire, PP_MAX_DEPTH + 1, false, NULL));
        wire[PP_MAX_DEPTH] = 0x91; /* ... one more, and as an argument */
        wire[PP_MAX_DEPTH + 1] = 0xc0;
        assert_false(survives(wire, PP_MAX_DEPTH + 2, false, NULL));
        assert_true(survives(wire, PP_MAX_DEPTH + 2, true, NULL));
        wire[PP_MAX_DEPTH + 1] = 0x90; /* even an empty list is one */
        assert_false(survives(wire, PP_MAX_DEPTH + 2, true, NULL));
    }
    free(wire);
}

static void an_ext_that_is_not_a_buffer_is_ebadmsg(void **state)
{
    static const struct {
        const char *wire;
        size_t      size;
    } bad[] = {
        {"\xd4\x42\0", 3},                /* of another size        */
        {"\xd5\x42\0\0", 4},              /* ...                    */
        {"\xd7\x42\0\0\0\0\0\0\0\0", 10}, /* ...                    */
        {"\xc7\x03\x42\0\0\0", 6},        /* ...                    */
        {"\xd6\x43\0\0\0\0", 6},          /* of another type        */
        {"\xd6\xff\0\0\0\0", 6},          /* the time of MessagePack */
        {"\xc7\x04\x41\0\0\0\0", 7},      /* of another type        */
        {"\xc7\x04\x42\0\0\0\x01", 7},    /* an index too far       */
        {"\xd6\x42\x01\0\0\0", 6},        /* ...                    */
        {"\xd6\x42\xff\xff\xff\xff", 6},  /* ...                    */
        {"\xd6\x42\0\0\0", 5},            /* cut                    */
        {"\xd6", 1},                      /* ...                    */
        {"\xc1", 1},                      /* no item at all         */
    };
    pp_buffer *buffer = new_buffer();
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(survives(bad[i].wire, bad[i].size, false, buffer));
    assert_true(survives("\xd6\x42\0\0\0\0", 6, false, buffer));
    assert_true(survives("\xc7\x04\x42\0\0\0\0", 7, false, buffer)); /* the long way to say it */
    pp_buffer_unref(buffer);
}

/* Random objects by msgpack-c: what it encodes is let in and has the same numbers. */
static void pack_random(msgpack_packer *packer, uint64_t *seed, unsigned depth)
{
    char   text[300] = {0};
    size_t count = random_below(seed, 5);
    switch (random_below(seed, depth < 8 ? 8 : 6)) {
    case 0:
        msgpack_pack_nil(packer);
        break;
    case 1:
        msgpack_pack_int64(packer, (int64_t)random_next(seed) >> random_below(seed, 64));
        break;
    case 2:
        msgpack_pack_uint64(packer, random_next(seed) >> random_below(seed, 64));
        break;
    case 3:
        msgpack_pack_double(packer, (double)random_next(seed) / 3);
        break;
    case 4:
        memset(text, 'x', sizeof text);
        msgpack_pack_str_with_body(packer, text, random_below(seed, sizeof text));
        break;
    case 5:
        msgpack_pack_bin_with_body(packer, text, random_below(seed, sizeof text));
        break;
    case 6:
        msgpack_pack_array(packer, count);
        for (size_t i = 0; i < count; i++)
            pack_random(packer, seed, depth + 1);
        break;
    default:
        msgpack_pack_map(packer, count);
        for (size_t i = 0; i < 2 * count; i++)
            pack_random(packer, seed, depth + 1);
    }
}

static void what_another_encoder_wrote_is_let_in(void **state)
{
    uint64_t        seed = 7;
    msgpack_sbuffer out;
    msgpack_packer  packer;
    (void)state;
    msgpack_sbuffer_init(&out);
    msgpack_packer_init(&packer, &out, msgpack_sbuffer_write);
    for (int round = 0; round < 3000; round++) {
        struct pp_document document;
        out.size = 0;
        pack_random(&packer, &seed, 0);
        assert_int_equal(pp_document_init(&document, out.data, out.size, false, false, NULL, 0), 0);
        other_decoder_agrees(&document.root);
        packs_as_it_is(&document.root);
        pp_document_clear(&document);
    }
    msgpack_sbuffer_destroy(&out);
}

static void every_integer_decodes_as_by_the_other_decoder(void **state)
{
    uint64_t seed = 11;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        unsigned char    wire[9];
        struct pp_item   item;
        struct pp_cursor cursor = {wire, wire + sizeof wire};
        msgpack_unpacked object;
        size_t           end = 0;
        for (size_t i = 0; i < sizeof wire; i++)
            wire[i] = random_byte(&seed);
        if (round % 2 == 0)
            wire[0] = (unsigned char)(0xca + random_below(&seed, 10)); /* the numbers */
        if (wire[0] != 0xc1 && pp_item_read(&cursor, &item) == 0 && item.kind <= PP_ITEM_DOUBLE) {
            msgpack_unpacked_init(&object);
            assert_int_equal(msgpack_unpack_next(&object, (char *)wire, sizeof wire, &end),
                             MSGPACK_UNPACK_SUCCESS);
            assert_int_equal(end, cursor.at - wire);
            if (item.kind == PP_ITEM_UNSIGNED)
                assert_true(object.data.type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
                            object.data.via.u64 == item.number);
            else if (item.kind == PP_ITEM_NEGATIVE)
                assert_true(object.data.type == MSGPACK_OBJECT_NEGATIVE_INTEGER &&
                            object.data.via.i64 == item.negative);
            else if (item.kind == PP_ITEM_DOUBLE)
                assert_memory_equal(&object.data.via.f64, &item.real, sizeof item.real);
            msgpack_unpacked_destroy(&object);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_cut_at_any_byte_is_ebadmsg),
        cmocka_unit_test(a_byte_behind_the_message_is_ebadmsg),
        cmocka_unit_test(changed_messages_are_refused_or_work),
        cmocka_unit_test(noise_is_refused_or_works),
        cmocka_unit_test(every_first_byte_is_refused_or_works),
        cmocka_unit_test(a_length_or_count_beyond_the_bytes_is_ebadmsg),
        cmocka_unit_test(a_claim_of_many_lists_of_many_ends_soon),
        cmocka_unit_test(nesting_beyond_the_depth_is_ebadmsg),
        cmocka_unit_test(an_ext_that_is_not_a_buffer_is_ebadmsg),
        cmocka_unit_test(what_another_encoder_wrote_is_let_in),
        cmocka_unit_test(every_integer_decodes_as_by_the_other_decoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
