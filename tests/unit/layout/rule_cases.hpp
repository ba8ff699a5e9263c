// The catalogue's cases: one change to a tree in which nothing is wrong, and exactly the findings that follow from it.
// The unchanged tree is every rule's passing case.
#pragma once

#include <gtest/gtest.h>

#include "unit/layout/trees.hpp"

namespace fota::layout::testing {

struct Case {
    const char* name;
    std::function<void(Files&)> change;
    std::multiset<std::string> expected;
};

inline std::ostream& operator<<(std::ostream& out, const Case& one) {
    return out << one.name;
}

inline std::string name_of(const ::testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

/// For good_source() and good_build().
std::vector<Case> source_cases();
std::vector<Case> build_cases();

}  // namespace fota::layout::testing
