# Writes version.cpp when version or commit are other than in the file that is there, so that a new
# commit costs one small compilation and no commit none.
# Run with -DSOURCE=<project> -DOUT=<version.cpp> -DVERSION=<x.y.z> [-DCOMMIT=<id>] -P.
if(NOT COMMIT)
  set(COMMIT unknown)
  if(EXISTS ${SOURCE}/.git)
    execute_process(COMMAND git -C ${SOURCE} rev-parse --short HEAD
      OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      set(COMMIT ${found})
    endif()
  endif()
endif()
set(text "#include \"server/version.h\"

namespace trestle {
const char* program_version() { return \"${VERSION}\"; }
const char* program_commit() { return \"${COMMIT}\"; }
}  // namespace trestle
")
set(before "")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
