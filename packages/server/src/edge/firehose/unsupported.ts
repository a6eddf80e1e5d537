/** Operations of the real service that this version refuses, in the order of their names. */
export const UNSUPPORTED: readonly string[] = [
  'ListTagsForDeliveryStream',
  'StartDeliveryStreamEncryption',
  'StopDeliveryStreamEncryption',
  'TagDeliveryStream',
  'UntagDeliveryStream',
];
