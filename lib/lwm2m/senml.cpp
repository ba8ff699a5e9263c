#include "lwm2m/senml.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "base/text.hpp"
#include "lwm2m/base64.hpp"

namespace fota::lwm2m::senml {
namespace {

struct LabelInfo {
    std::string_view text;
    std::optional<std::int64_t> number;
};
/// In the order of the enumeration.
constexpr std::array<LabelInfo, 16> labels{{{"bver", -1},
                                            {"bn", -2},
                                            {"bt", -3},
                                            {"bu", -4},
                                            {"bv", -5},
                                            {"bs", -6},
                                            {"n", 0},
                                            {"u", 1},
                                            {"v", 2},
                                            {"vs", 3},
                                            {"vb", 4},
                                            {"vd", 8},
                                            {"s", 5},
                                            {"t", 6},
                                            {"ut", 7},
                                            {"vlo", std::nullopt}}};
static_assert(labels.size() == static_cast<std::size_t>(Label::other));

/// RFC 8428 section 4.4: the version this is written for, and the default.
constexpr std::int64_t version = 10;
/// A path in decimal is at most 24 characters.
constexpr std::size_t longest_name = 64;

Failure malformed(std::string what) {
    return fail(Errc::message_malformed, "SenML: " + std::move(what));
}

Failure wrong_type(Label label, std::string_view expected) {
    return malformed(fmt::format("expected {} in \"{}\", found another type", expected, label_text(label)));
}

std::optional<double> as_double(const Scalar& value) {
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*number);
    return std::nullopt;
}

/// Integers stay integers, so that 64-bit values keep all their digits.
std::optional<Value> as_number(const Scalar& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        if (*number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return static_cast<std::int64_t>(*number);
        return *number;
    }
    if (const auto* number = std::get_if<double>(&value)) return *number;
    return std::nullopt;
}

double double_of(const Value& number) {
    if (const auto* value = std::get_if<std::int64_t>(&number)) return static_cast<double>(*value);
    if (const auto* value = std::get_if<std::uint64_t>(&number)) return static_cast<double>(*value);
    return std::get<double>(number);
}

Value sum(const Value& base, const Value& value) {
    const auto* a = std::get_if<std::int64_t>(&base);
    const auto* b = std::get_if<std::int64_t>(&value);
    std::int64_t exact = 0;
    if (a != nullptr && b != nullptr && !__builtin_add_overflow(*a, *b, &exact)) return exact;
    return double_of(base) + double_of(value);
}

}  // namespace

Result<Label> label_of(std::string_view text) {
    for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i].text == text) return static_cast<Label>(i);
    if (text.ends_with('_'))
        return malformed(fmt::format("expected no field that must be understood, found \"{}\"", printable(text, 32)));
    return Label::other;
}

Label label_of(std::int64_t number) noexcept {
    for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i].number == number) return static_cast<Label>(i);
    return Label::other;
}

std::string_view label_text(Label label) noexcept {
    return label == Label::other ? "?" : labels[static_cast<std::size_t>(label)].text;
}

std::optional<std::int64_t> label_number(Label label) noexcept {
    return label == Label::other ? std::nullopt : labels[static_cast<std::size_t>(label)].number;
}

Result<> Pack::field(Label label, Scalar scalar) {
    if (label == Label::other) return {};
    const auto bit = 1u << static_cast<unsigned>(label);
    if ((seen_ & bit) != 0)
        return malformed(fmt::format("expected \"{}\" once in a record, found it twice", label_text(label)));
    seen_ |= bit;
    const auto set_value = [&](Value value) -> Result<> {
        if (value_) return malformed("expected one value in a record, found several");
        value_ = std::move(value);
        return {};
    };
    auto* text = std::get_if<std::string>(&scalar);
    switch (label) {
        case Label::base_version: {
            const auto number = as_number(scalar);
            if (!number || double_of(*number) > static_cast<double>(version))
                return malformed(fmt::format("expected version {} at most, found another", version));
            return {};
        }
        case Label::base_name:
        case Label::name:
            if (text == nullptr) return wrong_type(label, "text");
            if (text->size() > longest_name)
                return malformed(
                    fmt::format("expected names of at most {} bytes, found {}", longest_name, text->size()));
            (label == Label::name ? name_ : base_name_) = std::move(*text);
            return {};
        case Label::base_time:
        case Label::time: {
            const auto seconds = as_double(scalar);
            if (!seconds) return wrong_type(label, "a number");
            if (label == Label::time) {
                time_ = *seconds;
            } else {
                base_time_ = *seconds;
            }
            return {};
        }
        case Label::base_value: {
            base_value_ = as_number(scalar);
            if (!base_value_) return wrong_type(label, "a number");
            return {};
        }
        case Label::value: {
            auto number = as_number(scalar);
            if (!number) return wrong_type(label, "a number");
            numeric_ = true;
            return set_value(std::move(*number));
        }
        case Label::string_value:
            if (text == nullptr) return wrong_type(label, "text");
            return set_value(std::move(*text));
        case Label::boolean_value:
            if (!std::holds_alternative<bool>(scalar)) return wrong_type(label, "true or false");
            return set_value(std::get<bool>(scalar));
        case Label::data_value: {
            if (auto* bytes = std::get_if<Bytes>(&scalar)) return set_value(std::move(*bytes));
            auto decoded = text == nullptr ? std::nullopt : from_base64(*text);
            if (!decoded) return wrong_type(label, "opaque bytes");
            return set_value(std::move(*decoded));
        }
        case Label::object_link: {
            if (text == nullptr) return wrong_type(label, "text");
            TRY(auto link, as_type(Value(std::move(*text)), Type::object_link));
            return set_value(std::move(link));
        }
        case Label::base_sum:
        case Label::sum:
            // LwM2M has no sums; a record with nothing else is refused at its end.
        case Label::base_unit:
        case Label::unit:
        case Label::update_time:
        case Label::other:
            break;
    }
    return {};
}

Result<> Pack::end_record() {
    if (entries_.size() == most_entries)
        return malformed(fmt::format("expected at most {} records, found more", most_entries));
    const auto name = base_name_ + name_;
    const auto path = Path::parse(name);
    if (!path || !path->resource)
        return malformed(fmt::format("expected the path of a resource, found \"{}\"", printable(name, 64)));
    if (!value_) return malformed(fmt::format("expected a value of {}, found none", path->text()));
    auto value = std::move(*value_);
    if (numeric_ && base_value_) value = sum(*base_value_, value);
    std::optional<double> time;
    if (time_ || base_time_ != 0) time = base_time_ + time_.value_or(0);
    entries_.push_back({*path, std::move(value), time});
    seen_ = 0;
    name_.clear();
    time_.reset();
    value_.reset();
    numeric_ = false;
    return {};
}

Names names_of(const Path& path, std::span<const Entry> entries) {
    Names out;
    out.base = path.text();
    // "/3/0/" and "9", but "/3/0/9" alone where the resource itself is written.
    const bool below = !path.resource || (!entries.empty() && entries[0].path != path);
    if (below) out.base += '/';
    for (const auto& entry : entries) {
        const auto text = entry.path.text();
        out.names.push_back(text.size() > out.base.size() ? text.substr(out.base.size()) : std::string());
    }
    return out;
}

}  // namespace fota::lwm2m::senml
