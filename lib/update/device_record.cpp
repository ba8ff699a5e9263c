#include "update/device_record.hpp"

#include <algorithm>
#include <charconv>

#include "release/timestamp.hpp"
#include "update/types.hpp"

namespace fota::update {
namespace {

using std::chrono::sys_seconds;

class Reader {
  public:
    explicit Reader(std::string endpoint) { record.endpoint = std::move(endpoint); }

    void take(const ports::Fact& fact) {
        if (fact.kind == registered_fact) {
            met(written(fact));
            record.lifetime = lifetime(field(fact, "lifetime"));
        } else if (fact.kind == cable_result_fact) {
            take_cable_result(fact);
        } else if (fact.kind == "attempt-begun") {
            attempt_ = fact.attempt;
            updated_at_ = written(fact);
            from_ = field(fact, "from");
            if (!from_.empty()) record.version = from_;
            record.to_version = field(fact, "to");
            record.outcome.clear();
            record.step = "begun";
        } else if (fact.attempt == attempt_) {
            take_progress(fact);
        }
    }

    DeviceRecord record;

  private:
    static std::string field(const ports::Fact& fact, const std::string& name) {
        const auto it = fact.fields.find(name);
        return it == fact.fields.end() ? "" : it->second;
    }
    static sys_seconds written(const ports::Fact& fact) {
        return std::chrono::floor<std::chrono::seconds>(
            std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(fact.wall_ms)));
    }
    static std::optional<std::chrono::seconds> lifetime(const std::string& text) {
        std::int64_t seconds = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        if (error != std::errc() || seconds <= 0) return std::nullopt;
        return std::chrono::seconds(seconds);
    }
    void met(sys_seconds when) { record.last_contact = std::max(record.last_contact.value_or(when), when); }

    /// A results file is merged long after the laptop met the device: it counts by its own time, against that of the
    /// update known so far. That the device was met since says nothing about its updates.
    void take_cable_result(const ports::Fact& fact) {
        const auto at = release::parse_timestamp(field(fact, "at"));
        if (!at || (updated_at_ && *at < *updated_at_)) return;
        met(*at);
        updated_at_ = *at;
        if (const auto running = field(fact, "running_version"); !running.empty()) record.version = running;
        record.to_version = field(fact, "to_version");
        record.outcome = field(fact, "outcome");
        record.step.clear();
        attempt_.clear();
    }

    void take_progress(const ports::Fact& fact) {
        if (fact.kind == "closed") {
            updated_at_ = written(fact);
            record.outcome = field(fact, "outcome");
            record.step.clear();
            if (record.outcome == outcome_name(Outcome::rolled_back) && !from_.empty()) record.version = from_;
            return;
        }
        // Each follows an answer of the device, but for the intents.
        if (fact.kind != "transfer" && fact.kind != "execute") met(written(fact));
        if (fact.kind == "proven") {
            updated_at_ = written(fact);
            record.version = field(fact, "version");
        }
        if (fact.kind != "block") record.step = fact.kind;
    }

    std::string attempt_;  ///< the newest one; "" without any
    /// When an update last began, was proven or ended, over the network or a cable.
    std::optional<sys_seconds> updated_at_;
    std::string from_;
};

}  // namespace

DeviceRecord device_record(std::string endpoint, const std::vector<ports::Fact>& facts) {
    Reader reader(std::move(endpoint));
    for (const auto& fact : facts) reader.take(fact);
    return std::move(reader.record);
}

}  // namespace fota::update
