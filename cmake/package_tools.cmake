# Read by cpack before it makes a package. Without these programs it would make one that does not say
# which libraries it needs, or break off without a word of why.
foreach(program dpkg-shlibdeps file)
  find_program(found_${program} ${program} PATHS ENV PATH NO_DEFAULT_PATH)
  if(NOT found_${program})
    message(FATAL_ERROR "${program} is missing, which tells the libraries that the package needs. "
      "Install dpkg-dev and file, or run ./dev package.")
  endif()
endforeach()
