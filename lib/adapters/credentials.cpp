#include "adapters/credentials.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/sha256.hpp"
#include "base/text.hpp"

namespace fota::adapters {

namespace {

constexpr std::size_t shortest_key = 16;
constexpr std::size_t longest_key = 64;
constexpr std::size_t longest_identity = 128;
constexpr std::uint64_t longest_file = 64u << 20;

Error unusable(std::string message) {
    return Error(Errc::credentials_unusable, std::move(message));
}

/// The whole of a file that nobody else may read.
Result<Secret<std::string>> read_secret_file(const std::filesystem::path& file) {
    const auto name = printable(file.string());
    const auto refused = [&](std::string message) {
        return fail(unusable(std::move(message)).with("file", file.string()));
    };
    struct Descriptor {
        int number;
        ~Descriptor() {
            if (number >= 0) ::close(number);
        }
    } const descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status {};
    if (descriptor.number < 0 || ::fstat(descriptor.number, &status) != 0)
        return fail(Error(Errc::file_unreadable,
                          fmt::format("expected a readable secret file {}, found: {}", name, std::strerror(errno)))
                        .with("file", file.string()));
    if (!S_ISREG(status.st_mode)) return refused(fmt::format("expected a regular file {}, found another kind", name));
    if ((status.st_mode & 077) != 0)
        return fail(unusable(fmt::format("expected {} to have mode 0600, found {:04o}: others can read it", name,
                                         status.st_mode & 07777u))
                        .with("file", file.string())
                        .with("mode", fmt::format("{:04o}", status.st_mode & 07777u)));
    if (static_cast<std::uint64_t>(status.st_size) > longest_file)
        return refused(fmt::format("expected {} to be at most {}, found {}", name, human_size(longest_file),
                                   human_size(static_cast<std::uint64_t>(status.st_size))));
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t filled = 0;
    while (filled < text.size()) {
        const auto count = ::read(descriptor.number, text.data() + filled, text.size() - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        filled += static_cast<std::size_t>(count);
    }
    if (filled != text.size())
        return refused(fmt::format("expected to read {} to its end, found: {}", name, std::strerror(errno)));
    return Secret<std::string>(std::move(text));
}

/// Keys printed in samples and manuals: one byte repeated, a pattern of up to eight bytes repeated, consecutive bytes
/// (Zephyr's and NCS's lwm2m_client samples: 00 01 02 ... 0f), and the digits of the alphabet in hexadecimal.
bool is_sample_key(BytesView key) {
    for (std::size_t period = 1; period <= 8 && period * 2 <= key.size(); ++period) {
        bool repeats = true;
        for (std::size_t i = period; i < key.size() && repeats; ++i) repeats = key[i] == key[i - period];
        if (repeats) return true;
    }
    bool rising = true;
    bool falling = true;
    for (std::size_t i = 1; i < key.size(); ++i) {
        rising = rising && key[i] == static_cast<std::uint8_t>(key[i - 1] + 1);
        falling = falling && key[i] == static_cast<std::uint8_t>(key[i - 1] - 1);
    }
    if (rising || falling) return true;
    for (const std::string_view text : {"0123456789abcdef", "0123456789ABCDEF", "1234567890123456", "1234567890abcdef"})
        if (as_text(key) == text) return true;
    // Written as text and padded, or repeated by a tool: "secretPSK" is Leshan's and Eclipse's, "P4s$w0rd" Anjay's.
    for (const std::string_view word : {"secretPSK", "P4s$w0rd", "password", "sesame"})
        if (as_text(key).starts_with(word)) return true;
    return false;
}

Result<> check_key(BytesView key) {
    if (key.size() < shortest_key || key.size() > longest_key)
        return fail(
            unusable(fmt::format("expected a key of {} to {} bytes, found {}", shortest_key, longest_key, key.size())));
    if (is_sample_key(key))
        return fail(unusable("expected a random key, found one known from samples and manuals")
                        .with("hint", "mint one: fotactl provision device --endpoint EP --credentials F"));
    return {};
}

Result<Secret<Bytes>> parse_key(std::string_view hex) {
    auto bytes = from_hex(hex);
    if (!bytes) return fail(unusable("expected a key in hexadecimal, found other text"));
    return Secret<Bytes>(std::move(*bytes));
}

}  // namespace

Result<Secret<Bytes>> load_key_file(const std::filesystem::path& file) {
    TRY(const auto text, read_secret_file(file));
    const auto with_file = [&](Error error) {
        return fail(
            std::move(error).with("file", file.string()).in(fmt::format("reading {}", printable(file.string()))));
    };
    auto key = parse_key(text.reveal());
    if (!key) return with_file(std::move(key.error()));
    if (auto good = check_key(key->reveal()); !good) return with_file(std::move(good.error()));
    return key;
}

Result<> Credentials::add(DeviceCredential credential) {
    const auto refused = [&](std::string message) {
        return fail(unusable(std::move(message)).with("endpoint", printable(credential.endpoint)));
    };
    if (credential.endpoint.empty()) return refused("expected an endpoint name, found none");
    if (credential.identity.empty() || credential.identity.size() > longest_identity)
        return refused(fmt::format("expected an identity of 1 to {} bytes, found {}", longest_identity,
                                   credential.identity.size()));
    if (credential.identity.find('\0') != std::string::npos)
        return refused("expected an identity without zero bytes, found one");
    if (auto good = check_key(credential.key.reveal()); !good)
        return fail(std::move(good.error()).with("endpoint", printable(credential.endpoint)));
    const auto endpoint = printable(credential.endpoint);
    if (by_endpoint_.contains(credential.endpoint))
        return refused(fmt::format("expected each endpoint once, found \"{}\" twice", endpoint));
    const auto other = [&](std::size_t index) { return printable(devices_[index].endpoint); };
    if (const auto found = by_identity_.find(credential.identity); found != by_identity_.end())
        return refused(
            fmt::format("expected an identity of its own for each device, found \"{}\" for both \"{}\" and \"{}\"",
                        printable(credential.identity), other(found->second), endpoint));
    const auto digest = sha256(credential.key.reveal());
    auto key_digest = std::string(as_text(digest));
    if (const auto found = by_key_digest_.find(key_digest); found != by_key_digest_.end())
        return refused(fmt::format("expected a key of its own for each device, found the same for \"{}\" and \"{}\"",
                                   other(found->second), endpoint));
    const auto index = devices_.size();
    by_endpoint_.emplace(credential.endpoint, index);
    by_identity_.emplace(credential.identity, index);
    by_key_digest_.emplace(std::move(key_digest), index);
    devices_.push_back(std::move(credential));
    return {};
}

Result<> Credentials::load(const std::filesystem::path& file) {
    TRY(const auto text, read_secret_file(file));
    const auto name = printable(file.string());
    const auto refused = [&](Error error) {
        return fail(std::move(error).with("file", file.string()).in(fmt::format("reading {}", name)));
    };
    auto document = nlohmann::json::parse(text.reveal(), nullptr, false);
    if (document.is_discarded()) return refused(unusable("expected JSON, found other text"));
    if (!document.is_object() || !document.contains("devices") || !document["devices"].is_array())
        return refused(unusable("expected an object with the array \"devices\", found none"));
    Credentials added;
    for (const auto& device : devices_)
        if (auto good = added.add({device.endpoint, device.identity, device.key.clone()}); !good)
            return refused(good.error());
    std::size_t index = 0;
    for (auto& entry : document["devices"]) {
        const auto text_of = [&](const char* field) -> const std::string* {
            if (!entry.is_object()) return nullptr;
            const auto found = entry.find(field);
            return found == entry.end() ? nullptr : found->get_ptr<const std::string*>();
        };
        const auto* endpoint = text_of("endpoint");
        const auto* identity = text_of("identity");
        const auto* psk = text_of("psk");
        if (endpoint == nullptr || identity == nullptr || psk == nullptr)
            return refused(unusable(fmt::format(
                "expected the texts \"endpoint\", \"identity\" and \"psk\" in device {}, found \"{}\" missing", index,
                endpoint == nullptr   ? "endpoint"
                : identity == nullptr ? "identity"
                                      : "psk")));
        auto key = parse_key(*psk);
        auto& parsed = entry["psk"].get_ref<std::string&>();
        OPENSSL_cleanse(parsed.data(), parsed.size());
        if (!key) return refused(std::move(key.error()).with("endpoint", printable(*endpoint)));
        if (auto good = added.add({*endpoint, *identity, std::move(*key)}); !good)
            return refused(std::move(good.error()));
        ++index;
    }
    *this = std::move(added);
    return {};
}

Result<> Credentials::add_argument(std::string_view argument) {
    const auto equals = argument.find('=');
    const auto at = argument.rfind(":@");
    if (equals == std::string_view::npos || at == std::string_view::npos || at < equals || equals == 0 ||
        at == equals + 1 || at + 2 == argument.size())
        return fail(Errc::usage, fmt::format("expected ENDPOINT=IDENTITY:@KEYFILE, found \"{}\"", printable(argument)));
    const auto file = std::filesystem::path(argument.substr(at + 2));
    TRY(auto key, load_key_file(file));
    auto added = add({std::string(argument.substr(0, equals)),
                      std::string(argument.substr(equals + 1, at - equals - 1)), std::move(key)});
    if (!added) return fail(std::move(added.error()).with("file", file.string()));
    return {};
}

const DeviceCredential* Credentials::find(std::string_view identity) const {
    const auto found = by_identity_.find(std::string(identity));
    return found == by_identity_.end() ? nullptr : &devices_[found->second];
}

}  // namespace fota::adapters
