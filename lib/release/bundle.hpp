// What a technician's laptop needs where there is no network, in one signed file: the release's files, the layout they
// must fit, the devices they are for, and until when. Never a key: a bundle is carried about.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "image/signer.hpp"

namespace fota::release {

/// "typ" of its header.
inline constexpr std::string_view bundle_type = "fotactl-bundle";

enum class BundleRole : std::uint8_t { image, release, layout };
/// "image", "release", "layout".
std::string_view role_name(BundleRole role) noexcept;

struct BundleMember {
    BundleRole role;
    std::string name;  ///< a file name without folders
    Bytes content;
};

struct Bundle {
    std::chrono::system_clock::time_point made;
    std::chrono::system_clock::time_point expires;  ///< whole seconds
    std::vector<BundleMember> members;
    std::vector<std::string> devices;  ///< endpoint names it is for; empty: any
    std::string note;

    /// nullptr when it has none of this role.
    const BundleMember* find(BundleRole role) const;
    bool is_for(std::string_view endpoint) const;
};

/// Each role and each name once, each name plain, at least one member; config_invalid otherwise.
Result<std::string> make_bundle(const Bundle& bundle, image::Signer& signer);

/// Errors: those of open_document; config_invalid for a member that is not what its hash says or has a name with
/// folders; policy_refused when it has expired at `now`.
Result<Bundle> open_bundle(std::string_view text, const image::PublicKey& key,
                           std::chrono::system_clock::time_point now);

}  // namespace fota::release
