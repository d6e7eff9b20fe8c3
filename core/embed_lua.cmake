# Writes SOURCE as a C byte array: `static const char NAME_lua[]` without a final NUL.
file(READ ${SOURCE} content HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${content}")
file(WRITE ${HEADER} "static const unsigned char ${NAME}_lua[] = {${bytes}};\n")
