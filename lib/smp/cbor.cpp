#include "smp/cbor.hpp"

#include <fmt/format.h>

#include <vector>

namespace fota::smp {

namespace {

constexpr std::size_t deepest = 16;

/// Walks the items without building anything, so that a short body can neither recurse deeply nor claim more than it
/// has: the parser behind it trusts lengths and depth.
class Walker {
  public:
    explicit Walker(BytesView bytes) : bytes_(bytes) {}

    bool well_formed() {
        // Each level: how many items are still to come; indefinite until a break.
        struct Level {
            std::uint64_t left;
            bool indefinite;
        };
        std::vector<Level> levels{{1, false}};
        while (!levels.empty()) {
            auto& level = levels.back();
            if (!level.indefinite && level.left == 0) {
                levels.pop_back();
                continue;
            }
            if (at_ >= bytes_.size()) return false;
            const auto first = bytes_[at_++];
            if (first == 0xff) {
                if (!level.indefinite) return false;
                levels.pop_back();
                continue;
            }
            if (!level.indefinite) --level.left;
            const auto major = first >> 5;
            const bool indefinite = (first & 31) == 31;
            std::uint64_t value = 0;
            if (indefinite ? major < 2 || major > 5 : !argument(first & 31, value)) return false;
            switch (major) {
                case 2:
                case 3:
                    if (indefinite)
                        levels.push_back({0, true});
                    else if (value > bytes_.size() - at_)
                        return false;
                    else
                        at_ += static_cast<std::size_t>(value);
                    break;
                case 4:
                case 5:
                    if (!indefinite && value > bytes_.size() - at_) return false;
                    levels.push_back({major == 5 ? value * 2 : value, indefinite});
                    break;
                case 6:
                    ++levels.back().left;  // the tagged item counts as the tag's
                    if (++tags_ > deepest) return false;
                    break;
                default:
                    break;
            }
            if (levels.size() > deepest) return false;
        }
        return at_ == bytes_.size();
    }

  private:
    bool argument(unsigned info, std::uint64_t& value) {
        value = info;
        if (info < 24) return true;
        if (info > 27) return false;
        const std::size_t size = std::size_t{1} << (info - 24);
        if (size > bytes_.size() - at_) return false;
        value = 0;
        for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes_[at_++];
        return true;
    }

    BytesView bytes_;
    std::size_t at_ = 0;
    std::size_t tags_ = 0;
};

const Json* member(const Json& map, const char* key) {
    if (!map.is_object()) return nullptr;
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &*found;
}

}  // namespace

Bytes to_cbor(const Json& map) {
    return Json::to_cbor(map);
}

Result<Json> from_cbor(BytesView bytes) {
    if (!Walker(bytes).well_formed())
        return fail(Errc::message_malformed, fmt::format("expected a CBOR map in {} bytes, found none", bytes.size()));
    auto map = Json::from_cbor(bytes.begin(), bytes.end(), true, false, Json::cbor_tag_handler_t::ignore);
    if (!map.is_object())
        return fail(Errc::message_malformed, "expected a CBOR map with text keys, found something else");
    return map;
}

Json binary(BytesView bytes) {
    return Json::binary(to_bytes(bytes));
}

std::optional<std::uint64_t> number(const Json& map, const char* key) {
    const auto* value = member(map, key);
    if (value == nullptr || !value->is_number_integer()) return std::nullopt;
    if (!value->is_number_unsigned() && value->get<std::int64_t>() < 0) return std::nullopt;
    return value->get<std::uint64_t>();
}

std::optional<std::string> text(const Json& map, const char* key) {
    const auto* value = member(map, key);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return value->get<std::string>();
}

std::optional<Bytes> bytes(const Json& map, const char* key) {
    const auto* value = member(map, key);
    if (value == nullptr || !value->is_binary()) return std::nullopt;
    return Bytes(value->get_binary());
}

bool flag(const Json& map, const char* key) {
    const auto* value = member(map, key);
    return value != nullptr && value->is_boolean() && value->get<bool>();
}

}  // namespace fota::smp
