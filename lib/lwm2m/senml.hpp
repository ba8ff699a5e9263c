// SenML packs (RFC 8428): what JSON and CBOR have in common. A pack is a list of records; base fields hold for their
// own record and all that follow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lwm2m/formats.hpp"

namespace fota::lwm2m::senml {

enum class Label : std::uint8_t {
    base_version,
    base_name,
    base_time,
    base_unit,
    base_value,
    base_sum,
    name,
    unit,
    value,
    string_value,
    boolean_value,
    data_value,
    sum,
    time,
    update_time,
    object_link,  ///< "vlo", of LwM2M (OMA LwM2M Core 1.1, section 7.4.4)
    other,        ///< unknown, and to be ignored
};

/// message_malformed for an unknown label that must be understood: it ends in '_' (section 4.4).
Result<Label> label_of(std::string_view text);
/// The integer labels of CBOR (section 6, table 4).
Label label_of(std::int64_t number) noexcept;
/// The same the other way; "vlo" has no number.
std::string_view label_text(Label label) noexcept;
std::optional<std::int64_t> label_number(Label label) noexcept;

/// A field's value as either syntax has it; data are Bytes in CBOR and base64url text in JSON.
using Scalar = std::variant<bool, std::int64_t, std::uint64_t, double, std::string, Bytes>;

/// Takes a pack record by record: field() for each label, then end_record().
class Pack {
  public:
    Result<> field(Label label, Scalar value);
    Result<> end_record();
    std::vector<Entry> take() { return std::move(entries_); }

  private:
    std::string base_name_;
    double base_time_ = 0;
    std::optional<Value> base_value_;
    // of the record at hand
    std::uint32_t seen_ = 0;  ///< a bit per label
    std::string name_;
    std::optional<double> time_;
    std::optional<Value> value_;
    bool numeric_ = false;
    std::vector<Entry> entries_;
};

/// Where writing splits names: the path of the Write is the base name, the rest the names. nullopt when no rest is left
/// to say, so that the base name alone is the name.
struct Names {
    std::string base;
    std::vector<std::string> names;  ///< one per entry, possibly empty
};
Names names_of(const Path& path, std::span<const Entry> entries);

}  // namespace fota::lwm2m::senml
