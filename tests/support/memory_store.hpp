// A Store in memory that can lose what a crash would lose, and can be told to fail.
#pragma once

#include <algorithm>
#include <set>

#include "ports/store.hpp"

namespace fota::test {

class MemoryStore final : public ports::Store {
  public:
    Result<> append(ports::Fact fact, ports::Durability durability) override {
        if (failing) return fail(Errc::store_failed, "expected to write a fact, found a full disk");
        fact.sequence = ++sequence_;
        facts_.push_back({std::move(fact), durability});
        return {};
    }
    Result<> replace(ports::Fact fact, ports::Durability durability) override {
        if (failing) return fail(Errc::store_failed, "expected to write a fact, found a full disk");
        std::erase_if(facts_, [&](const Entry& each) {
            return each.fact.kind == fact.kind && each.fact.subject == fact.subject &&
                   each.fact.attempt == fact.attempt;
        });
        return append(std::move(fact), durability);
    }
    Result<std::vector<ports::Fact>> facts(const std::string& subject) override {
        std::vector<ports::Fact> out;
        for (const auto& each : facts_)
            if (each.fact.subject == subject) out.push_back(each.fact);
        return out;
    }
    Result<std::vector<std::string>> subjects() override {
        std::set<std::string> names;
        for (const auto& each : facts_) names.insert(each.fact.subject);
        return std::vector<std::string>(names.begin(), names.end());
    }

    /// The machine lost power: what was not made durable is gone.
    void crash() {
        std::erase_if(facts_, [](const Entry& each) { return each.durability == ports::Durability::relaxed; });
    }
    std::size_t count(const std::string& kind) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(facts_, [&](const Entry& each) { return each.fact.kind == kind; }));
    }
    bool failing = false;

  private:
    struct Entry {
        ports::Fact fact;
        ports::Durability durability;
    };
    std::vector<Entry> facts_;
    std::uint64_t sequence_ = 0;
};

}  // namespace fota::test
