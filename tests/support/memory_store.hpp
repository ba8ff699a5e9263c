// A Store in memory that can lose what a crash would lose, and can be told to fail.
#pragma once

#include <algorithm>
#include <map>

#include "ports/store.hpp"

namespace fota::test {

class MemoryStore final : public ports::Store {
  public:
    Result<> append(ports::Fact fact, ports::Durability durability) override {
        if (failing) return fail(Errc::store_failed, "expected to write a fact, found a full disk");
        fact.sequence = ++sequence_;
        facts_[fact.subject].push_back({std::move(fact), durability});
        return {};
    }
    Result<> replace(ports::Fact fact, ports::Durability durability) override {
        if (failing) return fail(Errc::store_failed, "expected to write a fact, found a full disk");
        std::erase_if(facts_[fact.subject], [&](const Entry& each) {
            return each.fact.kind == fact.kind && each.fact.attempt == fact.attempt;
        });
        return append(std::move(fact), durability);
    }
    Result<std::vector<ports::Fact>> facts(const std::string& subject) override {
        std::vector<ports::Fact> out;
        for (const auto& each : facts_[subject]) out.push_back(each.fact);
        return out;
    }
    Result<std::vector<std::string>> subjects() override {
        std::vector<std::string> names;
        for (const auto& [subject, entries] : facts_)
            if (!entries.empty()) names.push_back(subject);
        return names;
    }

    /// The machine lost power: what was not made durable is gone.
    void crash() {
        for (auto& [subject, entries] : facts_)
            std::erase_if(entries, [](const Entry& each) { return each.durability == ports::Durability::relaxed; });
    }
    std::size_t count(const std::string& kind) const {
        std::size_t found = 0;
        for (const auto& [subject, entries] : facts_)
            found += static_cast<std::size_t>(
                std::ranges::count_if(entries, [&](const Entry& each) { return each.fact.kind == kind; }));
        return found;
    }
    bool failing = false;

  private:
    struct Entry {
        ports::Fact fact;
        ports::Durability durability;
    };
    std::map<std::string, std::vector<Entry>> facts_;  ///< by subject, in the order they came
    std::uint64_t sequence_ = 0;
};

}  // namespace fota::test
