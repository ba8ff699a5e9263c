// fotactl imgtool: the command line of MCUboot's imgtool, so that an existing build switches by pointing at this
// program. Options, standard output and exit codes are those of imgtool 2.4.0 and of Nordic's fork; where imgtool ends
// in a Python traceback, this says what is wrong in one sentence and exits with the same 1. Source: MCUboot
// scripts/imgtool.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/imgtool_arguments.hpp"
#include "image/hash.hpp"
#include "image/key.hpp"
#include "image/version.hpp"

namespace fota::cli {

/// `words`: what follows "fotactl imgtool". Returns the exit code.
int imgtool_main(const std::vector<std::string>& words);

namespace imgtool {

/// What a command writes; also after a failure.
struct Streams {
    std::string out;
    std::string err;
};

/// One command. An error of code usage exits with 2 below click's usage line, any other with 1.
struct Command {
    std::string name;
    std::string summary;
    std::vector<Parameter> parameters;  ///< in the order in which missing ones are complained about
    Result<int> (*run)(const Arguments&, Streams&) = nullptr;
};

Command keygen_command();
Command getpub_command();
Command getpubhash_command();
Command getpriv_command();
Command keyinfo_command();
Command verify_command();
Command dumpinfo_command();
Command sign_command();

/// A key file: the private half only where the file has it.
struct LoadedKey {
    image::PublicKey public_key;
    std::optional<image::PrivateKey> private_key;
};

/// What imgtool finds when it verifies an image: less than the bootloader looks at.
struct Check {
    enum class Verdict { ok, bad_magic, bad_info_magic, bad_hash, bad_signature, key_mismatch };
    Verdict verdict = Verdict::ok;
    image::Version version;
    Bytes digest;          ///< empty where the signature is over the image itself
    Bytes pure_signature;  ///< then this is it
};

/// With no key only the hash is checked. image_malformed: areas that do not lie in the file; key_unusable: a key that
/// cannot verify what stands there.
Result<Check> check_image(BytesView file, const LoadedKey* key);

}  // namespace imgtool
}  // namespace fota::cli
