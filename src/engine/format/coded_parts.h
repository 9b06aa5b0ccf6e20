/*
 * coded_parts.h - the layout of a coded file (private to format/): magic, bytes that it stands for,
 * number of stretches; of each its bytes and its stride; of each block its size and
 * 32 bits of lm_hash_bytes (seed 0) of what it stands for; the blocks.
 */
#ifndef LM_CODED_PARTS_H
#define LM_CODED_PARTS_H

#define LM_CODED_MAGIC "LMCODED1"
#define LM_CODED_HEAD ((size_t)24)
#define LM_CODED_ENTRY ((size_t)16)           /* of a stretch */
#define LM_CODED_SIZE ((size_t)8)             /* of a block's size and check, four bytes each */
#define LM_CODED_BLOCK ((size_t)65536)        /* bytes that a block stands for, at most */
#define LM_CODED_LONGEST (LM_CODED_BLOCK + 8) /* bytes of a block: planes as they are */

#endif
