/*
 * emulate.c - see emulate.h.
 */
#include "emulate.h"

#include <string.h>

enum flag { CARRY = 1 << 0, PARITY = 1 << 2, ZERO = 1 << 6, SIGN = 1 << 7, OVERFLOW = 1 << 11 };

static bool bit(const struct user_regs_struct *registers, enum flag flag)
{
    return (registers->eflags & (unsigned long long)flag) != 0;
}

/* The low four bits of a conditional jump's opcode. */
static bool is_true(const struct user_regs_struct *registers, unsigned condition)
{
    bool sign_differs = bit(registers, SIGN) != bit(registers, OVERFLOW);
    bool truths[] = {bit(registers, OVERFLOW),
                     bit(registers, CARRY),
                     bit(registers, ZERO),
                     bit(registers, CARRY) || bit(registers, ZERO),
                     bit(registers, SIGN),
                     bit(registers, PARITY),
                     sign_differs,
                     bit(registers, ZERO) || sign_differs};
    return truths[condition / 2] != (condition % 2 != 0);
}

static unsigned long long *register_of(struct user_regs_struct *registers, unsigned number)
{
    unsigned long long *all[] = {&registers->rax, &registers->rcx, &registers->rdx,
                                 &registers->rbx, &registers->rsp, &registers->rbp,
                                 &registers->rsi, &registers->rdi, &registers->r8,
                                 &registers->r9,  &registers->r10, &registers->r11,
                                 &registers->r12, &registers->r13, &registers->r14,
                                 &registers->r15};
    return all[number];
}

static bool pause_or_nop(struct user_regs_struct *registers, const unsigned char *code)
{
    static const unsigned char landing[] = {0xf3, 0x0f, 0x1e, 0xfa};
    if (code[0] == 0x90)
        registers->rip += 1;
    else if (code[0] == 0xf3 && code[1] == 0x90)
        registers->rip += 2;
    else if (memcmp(code, landing, sizeof landing) == 0)
        registers->rip += sizeof landing;
    else
        return false;
    return true;
}

static void jump(struct user_regs_struct *registers, const unsigned char *code, unsigned opcode,
                 bool far, bool taken)
{
    int32_t distance = (int8_t)code[opcode];
    if (far)
        memcpy(&distance, code + opcode, sizeof distance);
    registers->rip += opcode + (far ? sizeof distance : 1);
    registers->rip += taken ? (unsigned long long)(int64_t)distance : 0;
}

static bool any_jump(struct user_regs_struct *registers, const unsigned char *code)
{
    if (code[0] == 0xeb || code[0] == 0xe9)
        jump(registers, code, 1, code[0] == 0xe9, true);
    else if (code[0] >> 4 == 0x7)
        jump(registers, code, 1, false, is_true(registers, code[0] & 0xf));
    else if (code[0] == 0x0f && code[1] >> 4 == 0x8)
        jump(registers, code, 2, true, is_true(registers, code[1] & 0xf));
    else
        return false;
    return true;
}

/* mov of 32 or 64 bits, in both forms. */
static bool move(struct user_regs_struct *registers, const unsigned char *code)
{
    bool     prefixed = code[0] >> 4 == 0x4;
    unsigned prefix = prefixed ? code[0] & 0xf : 0;
    code += prefixed ? 1 : 0;
    if ((code[0] != 0x89 && code[0] != 0x8b) || code[1] >> 6 != 3 || (prefix & 2) != 0)
        return false;
    unsigned            reg = (code[1] >> 3 & 7) | (prefix & 4) << 1;
    unsigned            other = (code[1] & 7) | (prefix & 1) << 3;
    bool                store = code[0] == 0x89;
    unsigned long long *to = register_of(registers, store ? other : reg);
    unsigned long long  value = *register_of(registers, store ? reg : other);
    *to = (prefix & 8) != 0 ? value : (uint32_t)value;
    registers->rip += prefixed ? 3 : 2;
    return true;
}

/* The stepped process is a fork of this one: its code can be read here. */
bool emulate(struct user_regs_struct *registers)
{
    const unsigned char *code = (const unsigned char *)(uintptr_t)registers->rip;
    return pause_or_nop(registers, code) || any_jump(registers, code) || move(registers, code);
}

struct string emulate_string(const struct user_regs_struct *registers)
{
    enum { REPEAT = 0xf3, WIDE = 0x48, COPY = 0xa4, FILL = 0xaa, BACKWARD = 1 << 10 };
    const unsigned char *code = (const unsigned char *)(uintptr_t)registers->rip;
    bool                 wide = code[1] == WIDE;
    unsigned             opcode = wide ? code[2] - 1U : code[1];
    struct string        string = {.size = wide ? 8 : 1, .copies = opcode == COPY};
    if (code[0] == REPEAT && (opcode == COPY || opcode == FILL) && registers->rcx > 0 &&
        (registers->eflags & BACKWARD) == 0)
        string.count = registers->rcx - 1;
    return string;
}

bool emulate_knows(uint64_t address)
{
    struct user_regs_struct registers = {.rip = address};
    return emulate(&registers);
}
