#include "cli/credentials_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "provision/minting.hpp"

namespace fota::cli {
namespace {

/// JSON keeps strings where nothing wipes them.
void wipe(nlohmann::json& document) {
    const auto devices = document.find("devices");
    if (devices == document.end() || !devices->is_array()) return;
    for (auto& device : *devices)
        if (device.is_object())
            if (const auto psk = device.find("psk"); psk != device.end() && psk->is_string())
                (void)Secret<std::string>(std::move(psk->get_ref<std::string&>()));
}

}  // namespace

CredentialsFile::CredentialsFile(CredentialsFile&& other) noexcept
    : path_(std::move(other.path_)),
      folder_(std::exchange(other.folder_, -1)),
      document_(std::move(other.document_)),
      credentials_(std::move(other.credentials_)) {}

CredentialsFile::~CredentialsFile() {
    wipe(document_);
    if (folder_ >= 0) ::close(folder_);
}

Result<CredentialsFile> CredentialsFile::open(const std::string& path) {
    CredentialsFile out;
    out.path_ = path;
    auto folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    // The folder and not the file: a replaced file is another one, and its lock with it.
    out.folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out.folder_ < 0)
        return fail(Error(Errc::file_unwritable,
                          fmt::format("expected a folder for {}, found {}", shown_path(path), std::strerror(errno)))
                        .with("file", path));
    while (::flock(out.folder_, LOCK_EX) != 0)
        if (errno != EINTR)
            return fail(Errc::store_failed, fmt::format("expected to lock the folder of {}, found {}", shown_path(path),
                                                        std::strerror(errno)));
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
        out.document_["devices"] = nlohmann::json::array();
        return out;
    }
    TRY_VOID(out.credentials_.load(path));
    TRY(const auto bytes, read_secret_file(path, image_file_limit));
    out.document_ = nlohmann::json::parse(as_text(bytes.reveal()), nullptr, false);
    if (!out.document_.is_object() || !out.document_.contains("devices") || !out.document_["devices"].is_array())
        return fail(
            Error(Errc::credentials_unusable,
                  fmt::format("expected {} to stay as it is while it is read, found it changed", shown_path(path)))
                .with("file", path));
    return out;
}

const adapters::DeviceCredential* CredentialsFile::find_endpoint(const std::string& endpoint) const {
    for (const auto& device : credentials_.devices())
        if (device.endpoint == endpoint) return &device;
    return nullptr;
}

Result<const adapters::DeviceCredential*> CredentialsFile::mint(const std::string& endpoint,
                                                                const std::string& identity) {
    TRY(auto key, provision::mint_key());
    auto hex = to_hex(key.reveal());
    auto added = credentials_.add({endpoint, identity, std::move(key)});
    if (!added) return fail(std::move(added.error()).in(fmt::format("adding it to {}", shown_path(path_))));
    document_["devices"].push_back({{"endpoint", endpoint}, {"identity", identity}, {"psk", std::move(hex)}});
    return &credentials_.devices().back();
}

Result<> CredentialsFile::save() {
    const Secret<std::string> text(document_.dump(2) + "\n");
    return write_file_atomic(path_, as_bytes(text.reveal()), 0600);
}

Result<> check_endpoint_name(const std::string& endpoint) {
    if (endpoint.empty() || endpoint.size() > 128)
        return fail(Errc::usage, fmt::format("expected an endpoint of 1 to 128 bytes, found {}", endpoint.size()));
    for (const char each : endpoint)
        if (each <= 0x20 || each >= 0x7f || each == '"' || each == '\\')
            return fail(Errc::usage,
                        fmt::format("expected an endpoint of printable ASCII without blanks and quotes, found"
                                    " \"{}\"",
                                    printable(endpoint)));
    return {};
}

}  // namespace fota::cli
