#include "lwm2m/json_records.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fota::lwm2m {

namespace {
/// Unknown fields may hold structures; no known one does.
constexpr int deepest = 8;
}  // namespace

/// The interface is nlohmann's (json_sax); its parser keeps its own small stack.
struct JsonRecords::Handler final : nlohmann::json_sax<nlohmann::json> {
    explicit Handler(JsonRecords& owner) : self(owner) {}

    bool null() override { return scalar_of_no_use(); }
    bool boolean(bool value) override { return scalar(value); }
    bool number_integer(number_integer_t value) override { return scalar(static_cast<std::int64_t>(value)); }
    bool number_unsigned(number_unsigned_t value) override { return scalar(static_cast<std::uint64_t>(value)); }
    bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
    bool string(string_t& value) override { return scalar(std::move(value)); }
    bool binary(binary_t&) override { return scalar_of_no_use(); }
    bool key(string_t& name) override {
        if (depth <= self.depth_ + 1) label = std::move(name);
        return true;
    }
    bool start_object(std::size_t) override {
        if (depth < self.depth_ && (self.depth_ - depth) % 2 != 0)
            return refuse("expected a list of records, found another structure");
        return deeper();
    }
    bool end_object() override {
        --depth;
        if (depth != self.depth_) return true;
        return accept(self.end_record());
    }
    bool start_array(std::size_t) override {
        // Going in, lists and objects take turns, and a record is an object.
        if (depth <= self.depth_ && (self.depth_ - depth) % 2 == 0)
            return refuse("expected records, found a list in their place");
        return deeper();
    }
    bool end_array() override {
        --depth;
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
        return refuse(fmt::format("expected JSON, found other text at byte {}", position));
    }

    bool deeper() {
        if (++depth <= deepest) return true;
        return refuse(fmt::format("expected structures of at most {} levels, found more", deepest));
    }
    bool scalar(senml::Scalar value) {
        if (depth == self.depth_ + 1) return accept(self.field(label, std::move(value)));
        if (depth > self.depth_ + 1) return true;  // inside a field that is ignored
        if (depth == self.depth_ || depth == 0) return refuse("expected records, found a value in their place");
        return accept(self.outer_field(label, std::move(value)));
    }
    bool scalar_of_no_use() { return depth > self.depth_ || refuse("expected records, found a value in their place"); }
    bool accept(Result<> result) {
        if (!result) failure = std::move(result);
        return failure.has_value();
    }
    bool refuse(std::string why) {
        if (failure) failure = fail(Errc::message_malformed, std::move(why));
        return false;
    }

    JsonRecords& self;
    int depth = 0;
    std::string label;
    Result<> failure;
};

Result<> JsonRecords::read(BytesView text) {
    Handler handler(*this);
    const bool whole = nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
    if (!handler.failure) return handler.failure;
    if (!whole) return fail(Errc::message_malformed, "expected JSON, found other text");
    return {};
}

}  // namespace fota::lwm2m
