// Files as imgtool takes them: keys with a passphrase from the terminal, images in binary or Intel HEX by their
// extension.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/files.hpp"
#include "cli/imgtool.hpp"
#include "image/signer.hpp"

namespace fota::cli::imgtool {

/// Private or public; of a key on a token (a pkcs11: URI) the public half. An encrypted one asks for its passphrase on
/// a terminal; without a terminal the first line of stdin is taken, and nothing is asked.
Result<LoadedKey> load_key(const std::string& path);

/// The same for an encrypted file without asking: nullopt.
Result<std::optional<LoadedKey>> load_key_unasked(const std::string& path);

/// A signer on a token, by a pkcs11: URI. A PIN that the URI does not name is asked for on a terminal; usage where
/// there is none.
Result<std::unique_ptr<image::Signer>> load_token_key(const std::string& uri);

/// Twice the same, as for a new key.
Result<image::Passphrase> new_passphrase();

struct ImageFile {
    Bytes bytes;
    std::optional<std::uint32_t> address;  ///< of the first byte, in Intel HEX
};
/// `missing`: the usage error when there is no such file.
Result<ImageFile> read_image(const std::string& path, const std::string& missing);

/// Whether the name ends in .hex.
bool is_hex_name(const std::string& path);

/// A file of any kind, "-" included, which here is a name as any other.
Result<Bytes> read_plain(const std::string& path, std::uint64_t limit);
Result<> write_plain(const std::string& path, BytesView bytes);
Result<> write_plain(const std::string& path, const Producer& produce);
/// A private key: mode 0600, and synced.
Result<> write_plain_key(const std::string& path, BytesView pem);

std::string to_base64(BytesView bytes);
/// Foreign characters are skipped, as Python's b64decode does; key_unusable where the padding is wrong.
Result<Bytes> from_base64(std::string_view text);

}  // namespace fota::cli::imgtool
