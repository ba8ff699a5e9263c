// Flat records out of JSON text without a document in between: what SenML JSON and the JSON of LwM2M 1.0 share. Nesting
// is bounded, so that no text of any depth costs a stack.
#pragma once

#include <string>
#include <string_view>

#include "lwm2m/senml.hpp"

namespace fota::lwm2m {

class JsonRecords {
  public:
    virtual ~JsonRecords() = default;
    /// message_malformed for text that is no JSON, is not records, or that field() or end_record() refuse.
    Result<> read(BytesView text);

  protected:
    /// Records are the objects that stand this many arrays or objects deep: 1 for a list of records.
    explicit JsonRecords(int depth) : depth_(depth) {}
    virtual Result<> field(std::string_view label, senml::Scalar value) = 0;
    virtual Result<> end_record() = 0;
    /// A field outside the records.
    virtual Result<> outer_field(std::string_view, senml::Scalar) { return {}; }

  private:
    struct Handler;
    int depth_;
};

}  // namespace fota::lwm2m
