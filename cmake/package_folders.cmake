# Run by cpack on what it is about to pack: folders are open to all, whatever the umask of who packs.
# mkdir obeys that in spite of CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS.
file(GLOB_RECURSE paths LIST_DIRECTORIES true ${CPACK_TEMPORARY_DIRECTORY}/*)
foreach(path ${paths})
  if(IS_DIRECTORY ${path})
    file(CHMOD ${path} DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
      GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endif()
endforeach()
