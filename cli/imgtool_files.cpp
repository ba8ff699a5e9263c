#include "cli/imgtool_files.hpp"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "adapters/pkcs11_uri.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/hex_files.hpp"
#include "cli/key_files.hpp"

namespace fota::cli::imgtool {
namespace {

constexpr std::size_t longest_passphrase = 4096;
constexpr char interrupt_key = 3;

/// stdin without echo while it lives. The interrupt key ends the line instead of the process, so that the terminal is
/// put right again.
class Silence {
  public:
    Silence() {
        if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
        auto silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
        silent.c_cc[VEOL] = interrupt_key;
        active_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;
    ~Silence() {
        if (active_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }

  private:
    termios before_{};
    bool active_ = false;
};

void say(std::string_view text) {
    (void)!write(STDERR_FILENO, text.data(), text.size());
}

/// One line of stdin, byte by byte, so that the next one is left for the next question.
Result<image::Passphrase> read_line(const char* prompt) {
    const bool terminal = isatty(STDIN_FILENO) == 1;
    std::string line;
    line.reserve(longest_passphrase);
    bool ended = false;
    {
        const std::optional<Silence> silence(terminal ? std::optional<Silence>(std::in_place) : std::nullopt);
        if (terminal) say(prompt);
        char c = 0;
        while (line.size() < longest_passphrase) {
            const auto got = read(STDIN_FILENO, &c, 1);
            if (got < 0 && errno == EINTR) continue;
            ended = got <= 0;
            if (ended || c == '\n' || (terminal && c == interrupt_key)) break;
            line.push_back(c);
        }
        if (terminal) say("\n");
        if (terminal && c == interrupt_key) return fail(Errc::interrupted, "Aborted!");
    }
    image::Passphrase passphrase(std::move(line));
    if (passphrase.empty())
        return fail(Errc::credentials_unusable,
                    ended && !terminal
                        ? "expected a terminal, or the passphrase as the first line of stdin, found neither"
                        : "expected a passphrase, found an empty one");
    return passphrase;
}

std::string plain_path(const std::string& path) {
    return path == "-" ? "./-" : path;
}

Failure about(const std::string& path, Error error) {
    return fail(std::move(error).in(printable(path)));
}

Result<LoadedKey> parse_key(const std::string& path, BytesView bytes, const image::Passphrase* passphrase) {
    auto secret = image::PrivateKey::parse(bytes, passphrase);
    if (secret) {
        auto half = secret->public_key();
        return LoadedKey{std::move(half), std::move(*secret)};
    }
    if (passphrase != nullptr) return about(path, std::move(secret).error());
    auto open = image::PublicKey::parse(bytes);
    // Of a file that says it has a private key, what is wrong with that one is what its owner has to know.
    const bool is_private = as_text(bytes).find("PRIVATE KEY-----") != std::string_view::npos;
    if (!open) return about(path, is_private ? std::move(secret).error() : std::move(open).error());
    return LoadedKey{std::move(*open), std::nullopt};
}

Result<Secret<Bytes>> read_key(const std::string& path) {
    // imgtool's users keep keys in their source trees: who may read the file is not looked at here.
    TRY(auto bytes, read_plain(path, small_file_limit));
    return Secret<Bytes>(std::move(bytes));
}

/// The token keeps the private half to itself.
Result<LoadedKey> key_of_token(const std::string& uri) {
    TRY(auto key, load_public_half(uri, {}));
    return LoadedKey{std::move(key), std::nullopt};
}

}  // namespace

Result<LoadedKey> load_key(const std::string& path) {
    if (adapters::is_pkcs11_uri(path)) return key_of_token(path);
    TRY(const auto bytes, read_key(path));
    if (!image::is_encrypted_key(bytes.reveal())) return parse_key(path, bytes.reveal(), nullptr);
    TRY(const auto passphrase, read_line("Enter key passphrase: "));
    return parse_key(path, bytes.reveal(), &passphrase);
}

Result<std::optional<LoadedKey>> load_key_unasked(const std::string& path) {
    if (adapters::is_pkcs11_uri(path)) {
        TRY(auto key, key_of_token(path));
        return std::optional(std::move(key));
    }
    TRY(const auto bytes, read_key(path));
    if (image::is_encrypted_key(bytes.reveal())) return std::nullopt;
    TRY(auto key, parse_key(path, bytes.reveal(), nullptr));
    return std::optional(std::move(key));
}

Result<std::unique_ptr<image::Signer>> load_token_key(const std::string& uri) {
    SigningOptions options;
    options.key = uri;
    auto signer = load_signer(options);
    if (signer || signer.error().detail("pin").empty()) return signer;
    // A build has nobody to ask, and a pipe into it is no answer.
    if (isatty(STDIN_FILENO) != 1)
        return fail(Errc::usage, fmt::format("{}: name a file of mode 0600 that has it by pin-source in the URI",
                                             signer.error().text()));
    TRY(const auto pin, read_line("Enter PIN of the token: "));
    options.passphrase.typed = &pin;
    return load_signer(options);
}

Result<image::Passphrase> new_passphrase() {
    while (true) {
        TRY(auto first, read_line("Enter key passphrase: "));
        TRY(const auto second, read_line("Reenter passphrase: "));
        if (first.reveal() == second.reveal()) return first;
        if (isatty(STDIN_FILENO) != 1)
            return fail(Errc::credentials_unusable, "expected the same passphrase twice, found two");
        say("Passwords do not match, try again\n");
    }
}

bool is_hex_name(const std::string& path) {
    auto extension = std::filesystem::path(path).extension().string();
    std::ranges::transform(extension, extension.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    return extension == ".hex";
}

Result<ImageFile> read_image(const std::string& path, const std::string& missing) {
    std::error_code ignored;
    if (!std::filesystem::exists(plain_path(path), ignored)) return fail(Errc::usage, missing);
    if (!is_hex_name(path)) {
        TRY(auto bytes, read_plain(path, image_file_limit));
        return ImageFile{std::move(bytes), std::nullopt};
    }
    // A file without data is an empty payload, at no address.
    TRY(auto file, read_hex_file(plain_path(path), true));
    if (file.bytes.empty()) return ImageFile{};
    return ImageFile{std::move(file.bytes), file.address};
}

Result<Bytes> read_plain(const std::string& path, std::uint64_t limit) {
    return read_file(plain_path(path), limit);
}

Result<> write_plain(const std::string& path, BytesView bytes) {
    return write_product(plain_path(path), bytes);
}

Result<> write_plain(const std::string& path, const Producer& produce) {
    return write_product(plain_path(path), produce);
}

Result<> write_plain_key(const std::string& path, BytesView pem) {
    return write_file_atomic(plain_path(path), pem, 0600);
}

namespace {
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

std::string to_base64(BytesView bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t k) {
            return i + k < bytes.size() ? static_cast<unsigned>(bytes[i + k]) : 0U;
        };
        const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (unsigned k = 0; k < 4; ++k)
            out.push_back(i + k > bytes.size() ? '=' : base64_digits[group >> (18 - 6 * k) & 0x3f]);
    }
    return out;
}

Result<Bytes> from_base64(std::string_view text) {
    Bytes out;
    unsigned group = 0;
    unsigned digits = 0;
    unsigned padding = 0;
    for (const char c : text) {
        if (c == '=' && digits % 4 >= 2 && digits % 4 + ++padding == 4) break;
        const auto digit = base64_digits.find(c);
        if (digit == std::string_view::npos) continue;
        padding = 0;
        group = group << 6 | static_cast<unsigned>(digit);
        if (++digits % 4 != 0) continue;
        for (const unsigned shift : {16U, 8U, 0U}) out.push_back(static_cast<std::uint8_t>(group >> shift));
        group = 0;
    }
    const unsigned left = digits % 4;
    if (left == 1 || (left != 0 && left + padding != 4))
        return fail(Errc::key_unusable, "expected base64, found text with wrong padding");
    if (left >= 2) out.push_back(static_cast<std::uint8_t>(group << (24 - 6 * left) >> 16));
    if (left == 3) out.push_back(static_cast<std::uint8_t>(group << 6 >> 8));
    return out;
}

}  // namespace fota::cli::imgtool
