// A file that the first of several processes makes.
#pragma once

#include <filesystem>
#include <string>

namespace apo {

/// Writes `text` to a file that is not there yet, and returns whether it did: false where another
/// process, of whatever machine, has come first, whose file then stays as it is. A reader sees
/// nothing or all of it. It is a hard link that decides, which NFS has, too; `scratch` is a folder
/// of the same file system where what it links to is written, under a name that nobody else has.
/// Throws Error(output), also where the file system has none.
bool create_file(const std::filesystem::path& path,
                 const std::string& text,
                 const std::filesystem::path& scratch);

}  // namespace apo
