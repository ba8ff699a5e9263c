// SenML JSON, 110 (RFC 8428 section 5; OMA LwM2M Core 1.1, section 7.4.4).
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "lwm2m/base64.hpp"
#include "lwm2m/json_records.hpp"
#include "lwm2m/senml.hpp"

namespace fota::lwm2m {
namespace {

class Records final : public JsonRecords {
  public:
    explicit Records(senml::Pack& pack) : JsonRecords(1), pack_(pack) {}

  private:
    Result<> field(std::string_view label, senml::Scalar value) override {
        TRY(const auto known, senml::label_of(label));
        return pack_.field(known, std::move(value));
    }
    Result<> end_record() override { return pack_.end_record(); }

    senml::Pack& pack_;
};

struct Json {
    nlohmann::json& record;

    Result<> operator()(const Untyped&) const { return fail(Errc::usage, "expected a typed value, found none"); }
    Result<> operator()(const std::string& text) const { return set("vs", text); }
    Result<> operator()(std::int64_t number) const { return set("v", number); }
    Result<> operator()(std::uint64_t number) const { return set("v", number); }
    Result<> operator()(double number) const {
        if (!std::isfinite(number)) return fail(Errc::usage, "expected a finite number for JSON, found another");
        return set("v", number);
    }
    Result<> operator()(bool flag) const { return set("vb", flag); }
    Result<> operator()(const Bytes& bytes) const { return set("vd", to_base64(bytes, Alphabet::url)); }
    Result<> operator()(const ObjectReference& link) const { return set("vlo", value_text(link)); }

    template <class T>
    Result<> set(const char* label, T&& value) const {
        record[label] = std::forward<T>(value);
        return {};
    }
};

}  // namespace

Result<std::vector<Entry>> decode_senml_json(BytesView payload) {
    senml::Pack pack;
    Records records(pack);
    TRY_VOID(records.read(payload));
    return pack.take();
}

Result<Bytes> encode_senml_json(const Path& path, std::span<const Entry> entries) {
    const auto names = senml::names_of(path, entries);
    auto pack = nlohmann::json::array();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        auto record = nlohmann::json::object();
        if (i == 0) record["bn"] = names.base;
        if (!names.names[i].empty()) record["n"] = names.names[i];
        TRY_VOID(std::visit(Json{record}, entries[i].value));
        pack.push_back(std::move(record));
    }
    return to_bytes(as_bytes(pack.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

}  // namespace fota::lwm2m
