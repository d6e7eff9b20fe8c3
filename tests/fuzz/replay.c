/* replay.c: runs a fuzz target over files given as arguments, so that ordinary builds test the corpus and
 * every past crash without libFuzzer. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct buf content = {0};
        if (file_read(argv[i], 1 << 20, &content) != R_OK) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)content.data, content.len);
        buf_free(&content);
    }
    printf("%d inputs replayed\n", argc - 1);
    return 0;
}
