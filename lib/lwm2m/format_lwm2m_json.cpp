// The JSON of LwM2M 1.0, 11543 (OMA LwM2M 1.0, section 6.4.4): {"bn":"/3/0/","bt":1,"e":[{"n":"9","v":95}]}.
#include <fmt/format.h>

#include "base/text.hpp"
#include "lwm2m/json_records.hpp"

namespace fota::lwm2m {
namespace {

class Records final : public JsonRecords {
  public:
    explicit Records(const Path& asked) : JsonRecords(2), base_name_(asked.text()) {}

    /// The base name may stand behind the records: only now do all paths have one.
    Result<std::vector<Entry>> take() {
        std::vector<Entry> out;
        for (auto& record : records_) {
            // Clients disagree on whether the base name ends in a slash.
            auto name = base_name_;
            if (!record.name.empty() && !name.ends_with('/') && !record.name.starts_with('/')) name += '/';
            if (record.name.empty() && name.ends_with('/')) name.pop_back();
            if (name.ends_with('/') && record.name.starts_with('/')) name.pop_back();
            name += record.name;
            const auto path = Path::parse(name);
            if (!path || !path->resource)
                return fail(Errc::message_malformed,
                            fmt::format("expected the path of a resource, found \"{}\"", printable(name, 64)));
            out.push_back({*path, std::move(*record.value), record.time});
        }
        return out;
    }

  private:
    struct Record {
        std::string name;
        std::optional<Value> value;
        std::optional<double> time;
    };

    Result<> field(std::string_view label, senml::Scalar scalar) override {
        const auto set_value = [&](Value value) -> Result<> {
            if (record_.value) return fail(Errc::message_malformed, "expected one value in a record, found several");
            record_.value = std::move(value);
            return {};
        };
        auto* text = std::get_if<std::string>(&scalar);
        const auto* integer = std::get_if<std::int64_t>(&scalar);
        const auto* natural = std::get_if<std::uint64_t>(&scalar);
        const auto* real = std::get_if<double>(&scalar);
        if (label == "n" && text != nullptr) {
            record_.name = std::move(*text);
        } else if (label == "t" && (integer != nullptr || natural != nullptr || real != nullptr)) {
            record_.time = integer != nullptr   ? static_cast<double>(*integer)
                           : natural != nullptr ? static_cast<double>(*natural)
                                                : *real;
        } else if (label == "v" && integer != nullptr) {
            return set_value(*integer);
        } else if (label == "v" && natural != nullptr) {
            return set_value(*natural);
        } else if (label == "v" && real != nullptr) {
            return set_value(*real);
        } else if (label == "sv" && text != nullptr) {
            return set_value(Untyped{true, to_bytes(as_bytes(*text))});
        } else if (label == "bv" && std::holds_alternative<bool>(scalar)) {
            return set_value(std::get<bool>(scalar));
        } else if (label == "ov" && text != nullptr) {
            TRY(auto link, as_type(Value(std::move(*text)), Type::object_link));
            return set_value(std::move(link));
        } else if (label == "n" || label == "t" || label == "v" || label == "sv" || label == "bv" || label == "ov") {
            return fail(Errc::message_malformed, fmt::format("expected another type of value in \"{}\"", label));
        }
        return {};
    }

    Result<> end_record() override {
        if (records_.size() == most_entries)
            return fail(Errc::message_malformed, fmt::format("expected at most {} records, found more", most_entries));
        if (!record_.value)
            return fail(Errc::message_malformed,
                        fmt::format("expected a value of \"{}\", found none", printable(record_.name, 64)));
        records_.push_back(std::move(record_));
        record_ = {};
        return {};
    }

    Result<> outer_field(std::string_view label, senml::Scalar scalar) override {
        if (label != "bn") return {};
        auto* text = std::get_if<std::string>(&scalar);
        if (text == nullptr) return fail(Errc::message_malformed, "expected text in \"bn\", found another type");
        base_name_ = std::move(*text);
        return {};
    }

    std::string base_name_;
    Record record_;
    std::vector<Record> records_;
};

}  // namespace

Result<std::vector<Entry>> decode_lwm2m_json(const Path& path, BytesView payload) {
    Records records(path);
    TRY_VOID(records.read(payload));
    return records.take();
}

}  // namespace fota::lwm2m
